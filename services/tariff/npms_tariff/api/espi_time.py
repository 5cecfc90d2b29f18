"""A time zone as ESPI's LocalTimeParameters: an offset, and rules packed into 32 bits."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

NO_RULE = "FFFFFFFF"
DAY_OF_MONTH, LAST_OCCURRENCE = 0, 7
"""Operators of a rule; 2 to 6 are the first to fifth occurrence of the weekday in the month."""
YEARS_COMPARED = 4
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Seconds, and rules as eight hexadecimal digits."""

    offset_s: int
    dst_offset_s: int
    dst_start_rule: str
    dst_end_rule: str


def local_time(zone: ZoneInfo, year: int) -> LocalTime:
    """The zone as it is in a year; a zone that keeps one time has no rules."""
    changes = _changes(zone, year)
    offsets = [_offset(zone, datetime(year, month, 1, tzinfo=UTC)) for month in range(1, 13)]
    if len(changes) != 2:
        return LocalTime(_seconds(offsets[-1]), 0, NO_RULE, NO_RULE)
    standard, summer = min(offsets), max(offsets)
    starts = next(at for at in changes if _offset(zone, at) > _offset(zone, at - _MINUTE))
    ends = next(at for at in changes if at != starts)
    return LocalTime(
        _seconds(standard), _seconds(summer - standard), _rule(zone, starts), _rule(zone, ends)
    )


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _seconds(offset: timedelta) -> int:
    return int(offset.total_seconds())


def _changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """Instants of a year (of UTC) from which on clocks go by another offset."""
    at, found = datetime(year, 1, 1, tzinfo=UTC), []
    while at.year == year:
        following = at + timedelta(days=1)
        if _offset(zone, at) != _offset(zone, following):
            found.append(_first_after(zone, at, following))
        at = following
    return found


def _first_after(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    old = _offset(zone, before)
    while after - before > _MINUTE:
        middle = before + (after - before) // 2
        middle = middle.replace(second=0, microsecond=0)
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _rule(zone: ZoneInfo, at: datetime) -> str:
    """When clocks change, by the wall clock before the change: bits of month, operator, day of
    month, weekday, hour, seconds, from the highest."""
    wall = (at + _offset(zone, at - _MINUTE)).replace(tzinfo=None)
    operator = _operator(zone, at, wall)
    day = wall.day if operator == DAY_OF_MONTH else 0
    weekday = 0 if operator == DAY_OF_MONTH else wall.isoweekday()
    seconds = wall.minute * 60 + wall.second
    packed = wall.month << 28 | operator << 25 | day << 20 | weekday << 17 | wall.hour << 12
    return f"{packed | seconds:08X}"


def _operator(zone: ZoneInfo, at: datetime, wall: datetime) -> int:
    """The occurrence of the weekday that also explains the years that follow."""
    possible = _occurrences(wall)
    for year in range(at.year + 1, at.year + YEARS_COMPARED):
        same = [
            other + _offset(zone, other - _MINUTE)
            for other in _changes(zone, year)
            if (other + _offset(zone, other - _MINUTE)).month == wall.month
        ]
        if not same or same[0].weekday() != wall.weekday():
            return DAY_OF_MONTH
        possible &= _occurrences(same[0])
    return min(possible, default=DAY_OF_MONTH)


def _occurrences(wall: datetime) -> set[int]:
    """Which of its weekday in the month a day is; it may be the last as well."""
    found = {2 + (wall.day - 1) // 7}
    if (wall + timedelta(days=7)).month != wall.month:
        found.add(LAST_OCCURRENCE)
    return found
