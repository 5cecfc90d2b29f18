"""From a verified caller to the person that the audit trail keeps."""

from npms_ledger.domain.actor import Actor
from npms_shared.auth.tokens import Principal


def actor(caller: Principal) -> Actor:
    return Actor(caller.subject, tuple(sorted(caller.roles)))
