"""Local days, weeks and months: in which of them something counts, and when the next one begins."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class PerPeriod:
    """An amount in micro-units a period."""

    amount_micro: int
    period: Period


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """The account's calendar day at `now` (aware)."""
    return now.astimezone(zone).date()


def month_of(day: date) -> int:
    """A month as a number, yyyymm."""
    return day.year * 100 + day.month


def beginning(period: Period, day: date) -> date:
    """The first day of the day's own period; weeks begin on Monday."""
    if period is Period.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period is Period.WEEK else day


def following(period: Period, at: datetime, zone: ZoneInfo) -> datetime:
    """The local midnight (in UTC) a day or a week after the day of `at`, or of the next month's
    first day.
    """
    day = local_day(at, zone)
    if period is Period.MONTH:
        later = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    else:
        later = day + timedelta(days=7 if period is Period.WEEK else 1)
    return datetime.combine(later, time(), zone).astimezone(UTC)
