"""Codes that prove an address: six digits, sent there, entered here, kept as a keyed hash only.

All times are wall times: people type, and mail travels, in those.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from npms_notifier.domain.contacts import Channel

DIGITS = 6
LIFE = timedelta(minutes=15)
MOST_ATTEMPTS = 5
RESEND_AFTER = timedelta(minutes=1)
DAY = timedelta(days=1)
MOST_A_DAY = 5
"""Codes to one address of one account."""
MOST_A_DAY_AND_ACCOUNT = 20
"""Codes to whatever addresses: an account is no means to write to strangers."""
HOLD = timedelta(hours=24)
"""How long a notice waits for its address to be verified."""
MASK = "*" * DIGITS
"""Stands for the code wherever its message is kept or shown."""
TEMPLATE = "contact_code"


@dataclass(frozen=True, slots=True)
class MadeCode:
    """That a code was made for an address."""

    channel: Channel
    address: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class OpenCode:
    """The last code of an address, neither used nor replaced; without `digest` until it is sent."""

    code_id: UUID
    channel: Channel
    address: str
    digest: bytes | None
    expires_at: datetime | None
    attempts: int

    def may_be_tried(self, at: datetime) -> bool:
        return (
            self.expires_at is not None and at < self.expires_at and self.attempts < MOST_ATTEMPTS
        )

    def matches(self, code: str, pepper: bytes) -> bool:
        digest = digest_of(self.code_id, code, pepper)
        return self.digest is not None and hmac.compare_digest(self.digest, digest)


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def digest_of(code_id: UUID, code: str, pepper: bytes) -> bytes:
    """What is stored of a code: HMAC-SHA256 under a pepper that the database never sees."""
    return hmac.digest(pepper, f"{code_id}:{code}".encode(), hashlib.sha256)


def wait_for_another(
    made: Sequence[MadeCode], channel: Channel, address: str, *, at: datetime
) -> timedelta:
    """How long until an address may be sent another code; nothing where it may be now.

    `made` has the codes of its account of the last day.
    """
    of_address = [
        code.made_at for code in made if (code.channel, code.address) == (channel, address)
    ]
    free = [
        *(free_at + RESEND_AFTER for free_at in of_address),
        *_free_again(of_address, MOST_A_DAY),
        *_free_again([code.made_at for code in made], MOST_A_DAY_AND_ACCOUNT),
    ]
    return max([timedelta(), *(free_at - at for free_at in free)])


def _free_again(made: Sequence[datetime], most: int) -> list[datetime]:
    """When one of the last `most` is a day old, if there were so many."""
    return [sorted(made)[-most] + DAY] if len(made) >= most else []
