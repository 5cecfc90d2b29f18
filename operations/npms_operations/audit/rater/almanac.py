"""Time cut finely enough that price period, day and version stay the same within every piece.

Every quarter of an hour is a cut, since clocks are changed at one; further cuts are
made wherever a local clock shows a band's edge or midnight, and where a version begins.
More cuts than needed change nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from npms_operations.audit.rater.plan import Version

QUARTER_S = 900
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time with one price for each block, `offset_s` ahead of UTC by local clocks."""

    from_s: int
    to_s: int
    version: Version
    day: date
    period: str
    offset_s: int

    def window(self, minutes: int) -> tuple[int, int]:
        """Names the aligned local window that it lies in: (offset, its beginning)."""
        window_s = minutes * 60
        return self.offset_s, (self.from_s + self.offset_s) // window_s * window_s


class Almanac:
    """The pieces of [from_s, to_s) in one zone under one plan; empty before its first version."""

    def __init__(
        self, versions: Sequence[Version], zone: ZoneInfo, *, from_s: int, to_s: int
    ) -> None:
        self._versions = sorted(versions, key=lambda version: version.valid_from_s)
        self._zone = zone
        begins = max(from_s, self._versions[0].valid_from_s) if versions else to_s
        cuts = sorted({begins, to_s, *self._cuts(begins, to_s)}) if begins < to_s else []
        self.pieces = [self._piece(start, end) for start, end in pairwise(cuts)]
        self._starts = [piece.from_s for piece in self.pieces]

    def covers(self, at_s: int) -> bool:
        """Whether a version was in force at an instant."""
        return bool(self._starts) and self._starts[0] <= at_s < self.pieces[-1].to_s

    def between(self, from_s: int, to_s: int) -> Iterator[Piece]:
        """The pieces that overlap [from_s, to_s), in order."""
        first = max(bisect_right(self._starts, from_s) - 1, 0)
        yield from self.pieces[first : bisect_left(self._starts, to_s)]

    def _cuts(self, from_s: int, to_s: int) -> Iterator[int]:
        inside = range(from_s, to_s)
        yield from range(from_s // QUARTER_S * QUARTER_S + QUARTER_S, to_s, QUARTER_S)
        yield from (v.valid_from_s for v in self._versions if v.valid_from_s in inside)
        minutes = {0} | {
            minute % 1440
            for version in self._versions
            for band in version.bands
            for minute in (band.from_minute, band.to_minute)
        }
        day, last = self._clock(from_s).date() - DAY, self._clock(to_s).date() + DAY
        while day <= last:
            for minute in minutes:
                yield from (at_s for at_s in self._instants(day, minute) if at_s in inside)
            day += DAY

    def _instants(self, day: date, minute: int) -> tuple[int, int]:
        """When the local clock shows that minute: once, or where it is set back, twice."""
        local = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=self._zone)
        return int(local.timestamp()), int(local.replace(fold=1).timestamp())

    def _clock(self, at_s: int) -> datetime:
        return datetime.fromtimestamp(at_s, UTC).astimezone(self._zone)

    def _piece(self, from_s: int, to_s: int) -> Piece:
        in_force = [version for version in self._versions if version.valid_from_s <= from_s]
        clock = self._clock(from_s)
        day = clock.date()
        if from_s >= self._instants(day + DAY, 0)[0]:
            day += DAY
        period = in_force[-1].period_at(day, clock.hour * 60 + clock.minute)
        offset = clock.utcoffset() or timedelta(0)
        return Piece(from_s, to_s, in_force[-1], day, period, int(offset.total_seconds()))
