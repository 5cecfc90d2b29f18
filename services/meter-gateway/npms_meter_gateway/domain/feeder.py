"""What a feeder delivered against what its members counted, by local day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

LONGEST_GAP_S = 6 * 3600
"""Between two readings further apart than that a register is called an estimate."""

Moment = tuple[int, int]
"""(epoch seconds, validated register in Wh)"""


@dataclass(frozen=True, slots=True)
class Feeder:
    """A feeder's meter, the installations that it supplies, and how much may be lost."""

    installation_id: int
    account_id: int
    tolerance_ppm: int
    time_zone: str
    changed_by: str
    reason: str
    changed_at: datetime
    opened_at: datetime
    members: list[int]


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a register around an instant: the nearest moments at or before it, and
    after it; the opening and the closing count as such.
    """

    before: Moment | None
    after: Moment | None
    is_past_closing: bool = False

    def register_at(self, at_s: int) -> int | None:
        """Even between two readings, as rating takes it; None where one is missing.

        A meter counts nothing before its opening and after its closing.
        """
        if self.before is None:
            return None if self.after is None else self.after[1]
        if self.before[0] == at_s or self.is_past_closing:
            return self.before[1]
        if self.after is None:
            return None
        (from_s, from_wh), (to_s, to_wh) = self.before, self.after
        return from_wh + (to_wh - from_wh) * (at_s - from_s) // (to_s - from_s)

    def is_estimate(self, at_s: int) -> bool:
        if self.before is None or self.after is None or self.before[0] == at_s:
            return False
        return self.after[0] - self.before[0] > LONGEST_GAP_S


@dataclass(frozen=True, slots=True)
class Day:
    """A local day, from its first second to that of the next."""

    day: date
    begin_s: int
    end_s: int


def days_of(first: date, end: date, zone: ZoneInfo) -> Iterator[Day]:
    """The days of [first, end), of 23 and 25 hours too."""
    while first < end:
        following = first + timedelta(days=1)
        yield Day(first, _midnight_s(first, zone), _midnight_s(following, zone))
        first = following


def _midnight_s(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


@dataclass(frozen=True, slots=True)
class Loss:
    """A day's sum check, in Wh. `feeder_wh` is None without readings of the feeder; members
    without are `missing`; `estimated` are those, the feeder too, read too seldom to tell the day.
    """

    day: Day
    feeder_wh: int | None
    members_wh: int
    missing: tuple[int, ...] = ()
    estimated: tuple[int, ...] = ()

    @property
    def loss_wh(self) -> int | None:
        """Below zero where members counted more than was delivered."""
        if self.feeder_wh is None or self.missing:
            return None
        return self.feeder_wh - self.members_wh

    def is_beyond(self, tolerance_ppm: int) -> bool | None:
        """Whether more than the tolerance of what was delivered is missing, or too much; None
        where that cannot be told.
        """
        if self.loss_wh is None or self.feeder_wh is None:
            return None
        return abs(self.loss_wh) * 1_000_000 > self.feeder_wh * tolerance_ppm

    @property
    def loss_ppm(self) -> int | None:
        if self.loss_wh is None or not self.feeder_wh:
            return None
        return self.loss_wh * 1_000_000 // self.feeder_wh


@dataclass(frozen=True, slots=True)
class _Moved:
    energy_wh: dict[int, int] = field(default_factory=dict)
    estimated: list[int] = field(default_factory=list)


def sum_check(
    day: Day, feeder: int, members: Sequence[int], known: Mapping[tuple[int, int], Around]
) -> Loss:
    """`known` has what is around both ends of the day, by (installation, epoch seconds)."""
    moved = _Moved()
    for installation_id in (feeder, *members):
        begin, end = known[installation_id, day.begin_s], known[installation_id, day.end_s]
        first_wh, last_wh = begin.register_at(day.begin_s), end.register_at(day.end_s)
        if first_wh is not None and last_wh is not None:
            moved.energy_wh[installation_id] = last_wh - first_wh
            if begin.is_estimate(day.begin_s) or end.is_estimate(day.end_s):
                moved.estimated.append(installation_id)
    return Loss(
        day,
        feeder_wh=moved.energy_wh.get(feeder),
        members_wh=sum(moved.energy_wh.get(member, 0) for member in members),
        missing=tuple(member for member in members if member not in moved.energy_wh),
        estimated=tuple(moved.estimated),
    )
