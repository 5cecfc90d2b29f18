"""A plan version made ready for rating: flat tables instead of names."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from npms_tariff.domain.plan import MINUTES_A_DAY, Prices

WH_A_KWH = 1000
PPM = 1_000_000

Slots = list[int]
"""Energy used in a scope, Wh, by slot: period x number of blocks + block."""


@dataclass(frozen=True, slots=True)
class TaxRule:
    """A tax, ready to be computed: `label` is that of its charge line."""

    label: str
    rate_ppm: int
    on_energy: int
    on_daily: int

    def due_micro(self, energy_nano: int, daily_nano: int) -> int:
        """The tax on so much cost (in thousandths of a micro-unit), rounded down once."""
        base_nano = energy_nano * self.on_energy + daily_nano * self.on_daily
        return base_nano * self.rate_ppm // (PPM * WH_A_KWH)


@dataclass(frozen=True)
class Tariff:
    """One version of a plan, in force from `valid_from_s` until a later one takes over."""

    version_id: int
    valid_from_s: int
    prices: Prices

    @cached_property
    def blocks(self) -> int:
        return len(self.prices.block_edges_wh) + 1

    @cached_property
    def slot_prices(self) -> tuple[int, ...]:
        """Micro-units per kWh by slot."""
        return tuple(micro for period in self.prices.periods for micro in period.prices_micro)

    @cached_property
    def labels(self) -> tuple[tuple[str, int], ...]:
        """(period's name, block counted from 1) by slot."""
        return tuple(
            (period.name, block)
            for period in self.prices.periods
            for block in range(1, self.blocks + 1)
        )

    @cached_property
    def taxes(self) -> tuple[TaxRule, ...]:
        return tuple(
            TaxRule(f"tax:{tax.name}", tax.rate_ppm, "energy" in tax.on, "daily" in tax.on)
            for tax in self.prices.taxes
        )

    @cached_property
    def week(self) -> tuple[bytes, ...]:
        """The period of every local minute, a row of 1,440 for each weekday."""
        rows = [bytearray(MINUTES_A_DAY) for _ in range(7)]
        index = {period.name: i for i, period in enumerate(self.prices.periods)}
        for band in self.prices.schedule:
            for day in band.weekdays:
                length = band.to_minute - band.from_minute
                rows[day][band.from_minute : band.to_minute] = bytes([index[band.period]]) * length
        return tuple(bytes(row) for row in rows)

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Local minutes of the day at which the period may change."""
        return tuple(
            {minute for b in self.prices.schedule for minute in (b.from_minute, b.to_minute)}
        )

    def no_use(self) -> Slots:
        return [0] * len(self.slot_prices)

    def block_at(self, slots: Slots, period: int) -> tuple[int, int | None]:
        """The slot that takes the period's next Wh, and how many it takes; None is no end."""
        first, edges = period * self.blocks, self.prices.block_edges_wh
        if not edges:
            return first, None
        if self.prices.block_scope == "month_total":
            used = sum(slots)
        else:
            used = sum(slots[first : first + self.blocks])
        block = bisect_right(edges, used)
        return first + block, edges[block] - used if block < len(edges) else None

    def energy_nano(self, slots: Slots) -> int:
        """The exact cost of the energy, in thousandths of a micro-unit."""
        return sum(wh * price for wh, price in zip(slots, self.slot_prices, strict=True))

    def cost_micro(self, slots: Slots, days: int) -> int:
        """C: what the accumulators of a scope cost, every line of it rounded down once."""
        energy = sum(
            wh * price // WH_A_KWH for wh, price in zip(slots, self.slot_prices, strict=True)
        )
        daily = days * self.prices.daily_micro
        nano = self.energy_nano(slots)
        return energy + daily + sum(t.due_micro(nano, daily * WH_A_KWH) for t in self.taxes)
