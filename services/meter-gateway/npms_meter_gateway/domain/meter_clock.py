"""Clocks of meters: how far they are off, and what is done about it. Readings bear our time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

Judgement = Literal["right", "set", "wrong"]


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """`zone` is the one by which clocks of meters go; a clock further off than `limit_s` is set,
    at most once a day of that zone.
    """

    zone: tzinfo
    limit_s: int = 60

    def shown_at(self, now: datetime) -> datetime:
        """What a right clock shows."""
        return now.astimezone(self.zone).replace(tzinfo=None, microsecond=0)

    def drift_s(self, shown: datetime, now: datetime) -> int:
        """How far ahead of ours a clock is."""
        ahead = shown - now.astimezone(self.zone).replace(tzinfo=None)
        return round(ahead.total_seconds())

    def instant(self, shown: datetime, drift_s: int) -> datetime:
        """When a clock that is so far ahead showed a time."""
        return (shown - timedelta(seconds=drift_s)).replace(tzinfo=self.zone)

    def today(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def judge(
        self, drift_s: int, *, is_settable: bool, set_on: date | None, now: datetime
    ) -> Judgement:
        if abs(drift_s) <= self.limit_s:
            return "right"
        return "set" if is_settable and set_on != self.today(now) else "wrong"


IN_UTC = ClockPolicy(UTC)
