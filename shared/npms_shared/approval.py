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

from npms_shared.money import AmountsByCurrency

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


def has_room(
    limits: AmountsByCurrency, amount_micro: int, currency: str, *, moved_micro: int
) -> bool:
    """Whether somebody who has moved so much within a day may move this alone, either way."""
    return moved_micro + abs(amount_micro) <= limits.of(currency)
