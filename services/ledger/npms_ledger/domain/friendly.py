"""Times at which nobody is cut: friendly hours and holidays, by the account's local clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_HORIZON = timedelta(days=14)
"""A policy that covers everything is looked at again after this."""


class HoldReason(StrEnum):
    FRIENDLY_HOURS = "friendly_hours"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True)
class FriendlyHours:
    """From `start` to before `end` on the days that it starts on (0 is Monday).

    An `end` not after `start` lies on the next day; equal ones make 24 hours.
    """

    weekdays: frozenset[int]
    start: time
    end: time

    def end_at(self, local: datetime) -> datetime | None:
        """The local end of the occurrence that covers a naive local time, if one does."""
        for day in (local.date(), local.date() - _DAY):
            starts = datetime.combine(day, self.start)
            ends = datetime.combine(day, self.end)
            if ends <= starts:
                ends += _DAY
            if day.weekday() in self.weekdays and starts <= local < ends:
                return ends
        return None


@dataclass(frozen=True, slots=True)
class Hold:
    """The supply is kept until `until` (UTC), for `reason`, though the credit is used up."""

    reason: HoldReason
    until: datetime


@dataclass(frozen=True, slots=True)
class KindTimes:
    """When not to cut, in one time zone's local time."""

    friendly: tuple[FriendlyHours, ...] = ()
    holidays: frozenset[date] = frozenset()

    def hold_at(self, now: datetime, zone: ZoneInfo) -> Hold | None:
        """The hold in force at `now`, lasting over windows that touch or overlap."""
        reason = self._reason_at(_local(now, zone))
        if reason is None:
            return None
        until = now
        while until - now < _HORIZON and (end := self._end_at(_local(until, zone))):
            until = max(_utc(end, zone), until + timedelta(seconds=1))
        return Hold(reason, until)

    def _reason_at(self, local: datetime) -> HoldReason | None:
        if local.date() in self.holidays:
            return HoldReason.HOLIDAY
        return HoldReason.FRIENDLY_HOURS if self._end_at(local) else None

    def _end_at(self, local: datetime) -> datetime | None:
        ends: Iterable[datetime | None] = (hours.end_at(local) for hours in self.friendly)
        found = [end for end in ends if end is not None]
        if local.date() in self.holidays:
            found.append(datetime.combine(local.date() + _DAY, time()))
        return max(found, default=None)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant with this local time; one that a clock change skips comes just after it."""
    return local.replace(tzinfo=zone).astimezone(UTC)
