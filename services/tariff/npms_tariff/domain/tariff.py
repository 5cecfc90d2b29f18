"""A plan version made ready for rating: flat tables instead of names.

Costs are kept exactly, in thousandths of a micro-unit ("nano"), by component; the component
energy has index 0. What is charged of a component is its cost rounded down once.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import accumulate

from npms_tariff.domain.checking import applies, in_season
from npms_tariff.domain.plan import (
    ENERGY,
    FREE,
    HOLIDAY,
    MINIMUM,
    MINUTES_A_DAY,
    Demand,
    Discount,
    Fixed,
    Prices,
)

UNITS_A_PRICE = 1000
"""A price is for a kWh or a cubic metre: so many base units."""
PPM = 1_000_000
ENERGY_INDEX = 0

Slots = list[int]
"""Energy used in a scope, in base units, by slot: period after period, block after block, and
behind the blocks of a period a slot for its free units where the plan has any."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A component that does not follow from energy: fixed, or of demand.

    `item` counts those of highest demand, -1 for others.
    """

    index: int
    label: str
    fixed: Fixed | None
    demand: Demand | None
    item: int = -1


@dataclass(frozen=True, slots=True)
class Derived:
    """A component that follows from others: so much a unit, or a share of those at `on`.

    `sign` is -1 for a discount. `is_tax` for what is owed to the state.
    """

    index: int
    label: str
    per_unit_micro: int
    rate_ppm: int
    on: tuple[int, ...]
    sign: int = 1
    is_tax: bool = False


@dataclass(frozen=True)
class Tariff:
    """One version of a plan, in force from `valid_from_s` until a later one takes over."""

    version_id: int
    valid_from_s: int
    prices: Prices

    def for_class(self, customer_class: str) -> "Tariff":
        """The version as it is for a class of customers: without what is for others only."""
        prices = self.prices
        free = prices.free
        mine = replace(
            prices,
            discounts=tuple(d for d in prices.discounts if _is_for(d.classes, customer_class)),
            free=free if free is not None and _is_for(free.classes, customer_class) else None,
        )
        return self if mine == prices else Tariff(self.version_id, self.valid_from_s, mine)

    @cached_property
    def counts_month(self) -> bool:
        """Whether all energy of the month counts against blocks of fixed bounds: the usual case."""
        rule = self.prices.blocks
        return rule.count == "all" and rule.reset == "month" and rule.size == "fixed"

    @cached_property
    def free_wh(self) -> int:
        return self.prices.free.units_wh if self.prices.free is not None else 0

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The first slot of each period, and behind them the number of slots."""
        extra = 1 if self.free_wh else 0
        lengths = (len(period.blocks) + extra for period in self.prices.periods)
        return tuple(accumulate(lengths, initial=0))

    @cached_property
    def slot_prices(self) -> tuple[int, ...]:
        """Micro-units per thousand by slot."""
        free = (0,) if self.free_wh else ()
        return tuple(
            price
            for period in self.prices.periods
            for price in (*(block.price_micro for block in period.blocks), *free)
        )

    @cached_property
    def labels(self) -> tuple[tuple[str, int], ...]:
        """(period's name, block counted from 1) by slot; ("free", 0) of free units."""
        free = ((FREE, 0),) if self.free_wh else ()
        return tuple(
            label
            for period in self.prices.periods
            for label in (*((period.name, b + 1) for b in range(len(period.blocks))), *free)
        )

    @cached_property
    def bounds_wh(self) -> tuple[tuple[int, ...], ...]:
        """Upper bounds of all blocks but the last, by period, as written."""
        return tuple(
            tuple(block.upto_wh for block in period.blocks if block.upto_wh is not None)
            for period in self.prices.periods
        )

    def bounds_in(self, days: int, days_in_month: int) -> tuple[tuple[int, ...], ...]:
        """Upper bounds in a scope that may have so many days of its month."""
        size = self.prices.blocks.size
        if size == "fixed":
            return self.bounds_wh
        by = days_in_month if size == "prorated" else 1
        return tuple(tuple(wh * days // by for wh in bounds) for bounds in self.bounds_wh)

    @cached_property
    def _indexes(self) -> dict[str, int]:
        """Components in the order they are computed; what is taken at a vend is none of them."""
        prices = self.prices
        named = (
            *(part.name for part in prices.fixed if not part.first_vend),
            *(part.name for part in prices.demand),
            *(part.name for part in prices.levies),
            *(part.name for part in prices.discounts),
            MINIMUM,
            *(part.name for part in prices.taxes),
        )
        return {name: index for index, name in enumerate((ENERGY, *named))}

    @cached_property
    def components(self) -> int:
        return len(self._indexes)

    @cached_property
    def minimum_index(self) -> int:
        return self._indexes[MINIMUM]

    @cached_property
    def minimum_on(self) -> tuple[int, ...]:
        return self._at(self.prices.minimum.on) if self.prices.minimum is not None else ()

    def _at(self, on: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(self._indexes[name] for name in on if name in self._indexes)

    @cached_property
    def standing(self) -> tuple[Standing, ...]:
        index = self._indexes
        fixed = [
            Standing(index[fixed.name], f"fixed:{fixed.name}", fixed, None)
            for fixed in self.prices.fixed
            if not fixed.first_vend
        ]
        items = {demand.name: item for item, demand in enumerate(self.highest)}
        demand = [
            Standing(
                index[demand.name],
                f"demand:{demand.name}",
                None,
                demand,
                items.get(demand.name, -1),
            )
            for demand in self.prices.demand
        ]
        return (*fixed, *demand)

    @cached_property
    def highest(self) -> tuple[Demand, ...]:
        """Demand that is measured."""
        return tuple(demand for demand in self.prices.demand if demand.of == "highest")

    @cached_property
    def window_minutes(self) -> int:
        """How long a window of measured demand lasts; an hour where there is none."""
        return self.highest[0].window_minutes if self.highest else 60

    @cached_property
    def skips_unused(self) -> bool:
        return any(fixed.skip_unused for fixed in self.prices.fixed)

    @cached_property
    def derived(self) -> tuple[Derived, ...]:
        index, prices = self._indexes, self.prices
        levies = (
            Derived(
                index[x.name], f"levy:{x.name}", x.per_unit_micro or 0, x.rate_ppm, self._at(x.on)
            )
            for x in prices.levies
        )
        discounts = (_discount(index[x.name], x, self._at(x.on)) for x in prices.discounts)
        taxes = (
            Derived(index[x.name], f"tax:{x.name}", 0, x.rate_ppm, self._at(x.on), is_tax=True)
            for x in prices.taxes
        )
        return (*levies, *discounts, *taxes)

    @cached_property
    def weeks(self) -> dict[str | None, tuple[bytes, ...]]:
        """By season (None where there is but one): the period of every local minute, a row of
        1,440 for each weekday and for a holiday."""
        names: list[str | None] = [season.name for season in self.prices.seasons] or [None]
        return {name: self._week(name) for name in names}

    def _week(self, season: str | None) -> tuple[bytes, ...]:
        rows = [bytearray(MINUTES_A_DAY) for _ in range(HOLIDAY + 1)]
        index = {period.name: i for i, period in enumerate(self.prices.periods)}
        for band in self.prices.schedule:
            if applies(band, season):
                length = band.to_minute - band.from_minute
                for day in band.weekdays:
                    span = slice(band.from_minute, band.to_minute)
                    rows[day][span] = bytes([index[band.period]]) * length
        return tuple(bytes(row) for row in rows)

    def minutes_of(self, day: date) -> bytes:
        """The period of every local minute of a day."""
        at = (day.month, day.day)
        season = next((s.name for s in self.prices.seasons if in_season(s, at)), None)
        return self.weeks[season][HOLIDAY if self._is_holiday(day) else day.weekday()]

    def _is_holiday(self, day: date) -> bool:
        at = (day.month, day.day)
        return (0, *at) in self.prices.holidays or (day.year, *at) in self.prices.holidays

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Local minutes of the day at which the period, or a window of demand, may change."""
        windows = range(0, MINUTES_A_DAY, self.window_minutes) if self.highest else ()
        bands = (m for b in self.prices.schedule for m in (b.from_minute, b.to_minute))
        return tuple({*windows, *bands})

    def no_use(self) -> Slots:
        return [0] * self.offsets[-1]

    def by_period(self, slots: Slots) -> list[int]:
        """The energy of each period, free units included."""
        spans = zip(self.offsets, self.offsets[1:], strict=False)
        return [sum(slots[start:end]) for start, end in spans]

    def free_slot(self, period: int) -> int:
        return self.offsets[period + 1] - 1

    def paid_wh(self, slots: Slots) -> int:
        """Energy that is not free."""
        if not self.free_wh:
            return sum(slots)
        free = sum(slots[self.free_slot(p)] for p in range(len(self.prices.periods)))
        return sum(slots) - free

    def energy_nano(self, slots: Slots) -> int:
        """The exact cost of the energy."""
        return sum(wh * price for wh, price in zip(slots, self.slot_prices, strict=True))


def _is_for(classes: tuple[str, ...], customer_class: str) -> bool:
    return not classes or customer_class in classes


def _discount(index: int, discount: Discount, on: tuple[int, ...]) -> Derived:
    return Derived(index, f"discount:{discount.name}", 0, discount.rate_ppm, on, sign=-1)
