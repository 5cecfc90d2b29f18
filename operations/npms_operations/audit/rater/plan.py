"""A plan version as the slow rater reads it from its document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

HOLIDAY = 7
MonthDay = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Block:
    """Up to `upto_wh`, inclusive (None is no end), at micro-units per base unit."""

    upto_wh: int | None
    price: Fraction


@dataclass(frozen=True, slots=True)
class Band:
    """A period applies on these weekdays (Monday is 0, a holiday 7) from a local minute to before
    another, in the named seasons (none named: in all)."""

    period: str
    weekdays: frozenset[int]
    from_minute: int
    to_minute: int
    seasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    amount_micro: int
    per_month: bool = False
    skips_unused: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """`a_month_micro` for connected power; else micro-units per W of the highest window."""

    name: str
    a_month_micro: int = 0
    price: Fraction = Fraction(0)
    window_minutes: int = 0
    periods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Share:
    """A levy, discount or tax: a share of components by name, or micro-units per base unit."""

    label: str
    name: str
    share: Fraction = Fraction(0)
    on: tuple[str, ...] = ()
    per_unit: Fraction | None = None
    off: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a plan, as it is for one class of customers and one connected power."""

    version_id: int
    valid_from_s: int
    blocks: Mapping[str, Sequence[Block]]
    bands: tuple[Band, ...] = ()
    seasons: Mapping[str, tuple[MonthDay, MonthDay]] = field(default_factory=dict)
    holidays: frozenset[str] = frozenset()
    counts_periods: bool = False
    resets_daily: bool = False
    size: str = "fixed"
    free_wh: int = 0
    fixed: tuple[Fixed, ...] = ()
    demand: tuple[Demand, ...] = ()
    before_minimum: tuple[Share, ...] = ()
    minimum_micro: int = 0
    minimum_on: tuple[str, ...] = ()
    taxes: tuple[Share, ...] = ()

    @property
    def skips_unused(self) -> bool:
        return any(one.skips_unused for one in self.fixed)

    @property
    def measured(self) -> tuple[Demand, ...]:
        return tuple(one for one in self.demand if one.window_minutes)

    def period_at(self, day: date, minute: int) -> str:
        """The one period whose band covers a local minute of a day."""
        if not self.bands:
            (only,) = self.blocks
            return only
        weekday = HOLIDAY if self._is_holiday(day) else day.weekday()
        season = self._season_of(day)
        (found,) = (
            band.period
            for band in self.bands
            if weekday in band.weekdays
            and band.from_minute <= minute < band.to_minute
            and (not band.seasons or season in band.seasons)
        )
        return found

    def _is_holiday(self, day: date) -> bool:
        return bool({day.isoformat(), day.isoformat()[5:]} & self.holidays)

    def _season_of(self, day: date) -> str | None:
        at = (day.month, day.day)
        for name, (begins, ends) in self.seasons.items():
            wraps = begins > ends
            if (at >= begins or at <= ends) if wraps else begins <= at <= ends:
                return name
        return None
