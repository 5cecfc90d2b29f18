"""What the use cases need besides an open connection; put together by bootstrap.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from npms_payments.domain.records import Policy
from npms_payments.providers.base import Provider
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    clock: Clock
    policy: Policy
    providers: Mapping[str, Provider]
    pepper: bytes = field(repr=False)
