"""The life of a delivery: queued → sending → sent | failed, by way of retrying.

One to an address that is not verified is held before: → queued | expired.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"


OPEN = (State.QUEUED, State.SENDING, State.RETRYING)
"""Those a loop still has to look at; `sending` too, since a process may die while it sends."""

MULTIPLIER = 4
LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; `first` is the wait before the second, then four times as long each."""

    attempts: int
    first: timedelta

    def delay(self, attempts_made: int) -> timedelta:
        """Wall time to wait after so many attempts."""
        seconds = self.first.total_seconds() * MULTIPLIER ** min(attempts_made - 1, 12)
        return min(timedelta(seconds=seconds), max(LONGEST, self.first))


@dataclass(frozen=True, slots=True)
class Pace:
    """`timeout` bounds one attempt; `lease` is longer; `idle` is the wait where nothing was due."""

    timeout: timedelta
    lease: timedelta
    idle: timedelta
    at_once: int = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an attempt left a delivery; `due_at` only while it is to be tried again."""

    state: State
    due_at: datetime | None = None


def after_failure(
    policy: RetryPolicy, *, attempts_made: int, permanent: bool, at: datetime
) -> Outcome:
    """A refusal of the address ends it at once, anything else when the attempts are spent."""
    if permanent or attempts_made >= policy.attempts:
        return Outcome(State.FAILED)
    return Outcome(State.RETRYING, at + policy.delay(attempts_made))
