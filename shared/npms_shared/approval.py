"""Two people for what moves money: one rule for every service, without any I/O.

Whoever had a hand in a thing may not approve it. Anybody with the role may reject it, who asked for
it too: that is how a request is withdrawn. An approval is of what was reviewed, by its checksum. A
little may be moved by one person alone: what they moved within a day is counted together.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from npms_shared.money import AmountError, is_currency, parse_amount

ANY_CURRENCY = "*"
DAY = timedelta(hours=24)
"""Rolling, so that midnight does not double it, wherever it is."""


class SecondPersonRequired(Exception):
    """Somebody else must decide; `subject` may not alone."""

    def __init__(self, subject: str, why: str = "has had a hand in this") -> None:
        super().__init__(f"{subject} {why}: another person must decide")
        self.subject = subject


class ReviewedChanged(Exception):
    """What was reviewed is not what stands there now."""

    def __init__(self) -> None:
        super().__init__("it is not what you looked at any more: look again")


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approves, and the checksum of what they looked at."""

    by: str
    seen: str

    def check(self, *, hands: Iterable[str | None], reviewed: Mapping[Any, Any]) -> None:
        """`hands` are those who wrote, asked for or changed it; `reviewed` is it as it stands.

        Raises SecondPersonRequired, ReviewedChanged.
        """
        if self.by in set(hands):
            raise SecondPersonRequired(self.by)
        if self.seen != checksum(reviewed):
            raise ReviewedChanged


def checksum(reviewed: Mapping[Any, Any]) -> str:
    """SHA-256 of a thing's facts in one canonical form; the order of its keys does not matter."""
    canonical = json.dumps(dict(reviewed), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AloneLimits:
    """Micro-units that one person may move alone within a day, by currency; `*` is every other."""

    by_currency: Mapping[str, int]

    @classmethod
    def parse(cls, amounts: Mapping[str, str]) -> "AloneLimits":
        """From currency units. Raises ValueError with what is wrong."""
        return cls({currency: _micro(currency, amount) for currency, amount in amounts.items()})

    def of(self, currency: str) -> int:
        return self.by_currency.get(currency, self.by_currency.get(ANY_CURRENCY, 0))

    def have_room(self, amount_micro: int, currency: str, *, moved_micro: int) -> bool:
        """Whether somebody who has moved so much already may move this too, in either direction."""
        return moved_micro + abs(amount_micro) <= self.of(currency)


def _micro(currency: str, amount: str) -> int:
    if currency != ANY_CURRENCY and not is_currency(currency):
        raise ValueError(f"{currency!r} is no ISO 4217 code")
    try:
        micro = parse_amount(amount)
    except AmountError as fault:
        raise ValueError(f"{amount!r} is no amount: {fault.code}") from None
    if micro < 0:
        raise ValueError(f"{amount} is negative")
    return micro
