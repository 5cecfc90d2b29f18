"""What readings cost: walked piece by piece with exact fractions, rounded as published."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import floor

from npms_operations.audit.rater.almanac import Almanac, Piece
from npms_operations.audit.rater.scope import Line, Scope

Reading = tuple[int, int]
"""(epoch seconds, register in base units)"""


@dataclass(slots=True)
class Bill:
    """All scopes of one installation in order; the last one is open until `close`.

    `before` is the bill of the meter whose place it took: what that used of the month counts on.
    """

    scopes: list[Scope] = field(default_factory=list)
    before: "Bill | None" = None
    days_begun: set[date] = field(default_factory=set)
    days_used: set[date] = field(default_factory=set)
    _window: tuple[int, int] = (0, 0)
    _window_wh: dict[str, int] = field(default_factory=dict)
    _day: date | None = None

    def __post_init__(self) -> None:
        if self.before is not None:
            self.days_begun = set(self.before.days_begun)
            self.days_used = set(self.before.days_used)

    def add(self, piece: Piece, energy_wh: int) -> None:
        scope = self._scope_of(piece)
        if piece.day != self._day:
            self._day = piece.day
            scope.today_wh = {}
        self._count_days(scope, piece, energy_wh)
        scope.use(piece.period, energy_wh)
        self._measure(scope, piece, energy_wh)

    def _scope_of(self, piece: Piece) -> Scope:
        key = piece.version.version_id, piece.day.year, piece.day.month
        last = self.last
        if (
            self.scopes
            and last is not None
            and key == (last.version.version_id, last.year, last.month)
        ):
            return last
        scope = Scope(piece.version, piece.day.year, piece.day.month, 0)
        scope.last_days = scope.days_in_month - piece.day.day + 1
        if last is not None:
            last.ended = True
            if (last.year, last.month) == (scope.year, scope.month):
                scope.carried, scope.charged_peaks = last.hand_over(piece.version)
        self.scopes.append(scope)
        self._window_wh = {}
        return scope

    @property
    def last(self) -> Scope | None:
        """The newest scope, of this meter or of the one before it."""
        if self.scopes or self.before is None:
            return self.scopes[-1] if self.scopes else None
        return self.before.last

    def _count_days(self, scope: Scope, piece: Piece, energy_wh: int) -> None:
        if piece.day not in self.days_begun:
            self.days_begun.add(piece.day)
            scope.days += 1
        if not piece.version.skips_unused:
            self.days_used.add(piece.day)
        elif energy_wh and piece.day not in self.days_used:
            self.days_used.add(piece.day)
            scope.used_days += 1

    def _measure(self, scope: Scope, piece: Piece, energy_wh: int) -> None:
        for demand in piece.version.measured:
            window = piece.window(demand.window_minutes)
            if window != self._window:
                self._window, self._window_wh = window, {}
            if not demand.periods or piece.period in demand.periods:
                used = self._window_wh[demand.name] = (
                    self._window_wh.get(demand.name, 0) + energy_wh
                )
                power_w = used * 60 // demand.window_minutes
                scope.peaks[demand.name] = max(scope.peaks.get(demand.name, 0), power_w)

    def close(self) -> None:
        """Nothing more will be used: the last scope comes to its minimum."""
        if self.scopes:
            self.scopes[-1].ended = True

    def lines(self) -> dict[Line, int]:
        total: dict[Line, int] = {}
        for scope in self.scopes:
            for line, micro in scope.lines().items():
                total[line] = total.get(line, 0) + micro
        return total

    @property
    def energy_wh(self) -> int:
        return sum(sum(scope.energy_wh.values()) for scope in self.scopes)

    @property
    def cost_micro(self) -> int:
        return sum(self.lines().values())

    @property
    def tax_micro(self) -> int:
        return sum(micro for (label, _, _), micro in self.lines().items() if label[:4] == "tax:")


def bill(
    opening: Reading, readings: Iterable[Reading], almanac: Almanac, *, before: Bill | None = None
) -> Bill:
    """Everything from the opening register to the last reading; times must rise strictly."""
    made = Bill(before=before)
    for (from_s, from_wh), (to_s, to_wh) in pairwise([opening, *readings]):
        slope = Fraction(to_wh - from_wh, to_s - from_s)
        reached_wh = from_wh
        for piece in almanac.between(from_s, to_s):
            until_s = min(piece.to_s, to_s)
            until_wh = from_wh + floor(slope * (until_s - from_s))
            made.add(piece, until_wh - reached_wh)
            reached_wh = until_wh
    return made
