"""One local month under one plan version: what was used in it, and what that costs."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from npms_operations.audit.rater.plan import Demand, Share, Version

Line = tuple[str, str, int]
"""(component, period, block counted from 1; 0 where there is none)"""


@dataclass(slots=True)
class Scope:
    """Energy in base units by (period, block from 0), block -1 for what was free.

    `carried` is the month's use before it by period. `peaks` is the highest power of each
    demand in W, `charged_peaks` what was charged of it before. `last_days`: how many
    days the scope might have when it began.
    """

    version: Version
    year: int
    month: int
    last_days: int
    carried: dict[str, int] = field(default_factory=dict)
    charged_peaks: dict[str, int] = field(default_factory=dict)
    energy_wh: dict[tuple[str, int], int] = field(default_factory=dict)
    today_wh: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    days: int = 0
    used_days: int = 0
    ended: bool = False

    def use(self, period: str, energy_wh: int) -> None:
        """Fill free units, then blocks, from where they stand."""
        while energy_wh:
            free = self.version.free_wh - self.month_wh
            part, block = (min(energy_wh, free), -1) if free > 0 else self._next(period, energy_wh)
            self.energy_wh[period, block] = self.energy_wh.get((period, block), 0) + part
            self.today_wh[period] = self.today_wh.get(period, 0) + part
            energy_wh -= part

    def _next(self, period: str, energy_wh: int) -> tuple[int, int]:
        """(how much of it, block) goes on at the position that counts."""
        position = self._position(period)
        bounds = [self._bound(b.upto_wh) for b in self.version.blocks[period] if b.upto_wh]
        block = sum(1 for bound in bounds if bound <= position)
        room = bounds[block] - position if block < len(bounds) else energy_wh
        return min(energy_wh, room), block

    def _bound(self, upto_wh: int) -> int:
        if self.version.size == "fixed":
            return upto_wh
        days = Fraction(self.last_days)
        by = self.days_in_month if self.version.size == "prorated" else 1
        return floor(upto_wh * days / by)

    def _position(self, period: str) -> int:
        if self.version.resets_daily:
            counted = dict(self.today_wh)
        else:
            counted = self._by_period()
            if self.version.size == "fixed":
                for name, wh in self.carried.items():
                    counted[name] = counted.get(name, 0) + wh
        return counted.get(period, 0) if self.version.counts_periods else sum(counted.values())

    def _by_period(self) -> dict[str, int]:
        used: dict[str, int] = {}
        for (period, _), wh in self.energy_wh.items():
            used[period] = used.get(period, 0) + wh
        return used

    @property
    def month_wh(self) -> int:
        return sum(self.energy_wh.values()) + sum(self.carried.values())

    @property
    def days_in_month(self) -> int:
        return monthrange(self.year, self.month)[1]

    def hand_over(self, version: Version) -> tuple[dict[str, int], dict[str, int]]:
        """(carried, charged peaks) of a scope of another version later in the month."""
        first = next(iter(version.blocks))
        carried: dict[str, int] = {}
        used = self._by_period()
        for name in {**self.carried, **used}:
            to = name if name in version.blocks else first
            more = self.carried.get(name, 0) + used.get(name, 0)
            carried[to] = carried.get(to, 0) + more
        names = (one.name for one in self.version.measured)
        peaks = {n: max(self.peaks.get(n, 0), self.charged_peaks.get(n, 0)) for n in names}
        return carried, peaks

    def lines(self) -> dict[Line, int]:
        """Micro-units of every line that is not zero."""
        exact = self._components()
        lines = {
            ("energy", *self._label(slot)): floor(wh * self._price(slot))
            for slot, wh in self.energy_wh.items()
        }
        for label, name in self._labels():
            value = exact[name]
            lines[label, "", 0] = floor(value) if value >= 0 else -floor(-value)
        return {line: micro for line, micro in lines.items() if micro}

    def _label(self, slot: tuple[str, int]) -> tuple[str, int]:
        period, block = slot
        return ("free", 0) if block < 0 else (period, block + 1)

    def _price(self, slot: tuple[str, int]) -> Fraction:
        period, block = slot
        return Fraction(0) if block < 0 else self.version.blocks[period][block].price

    def _labels(self) -> list[tuple[str, str]]:
        version = self.version
        return [
            *((f"fixed:{one.name}", one.name) for one in version.fixed),
            *((f"demand:{one.name}", one.name) for one in version.demand),
            *((one.label, one.name) for one in version.before_minimum),
            ("minimum", "minimum"),
            *((one.label, one.name) for one in version.taxes),
        ]

    def _components(self) -> Mapping[str, Fraction]:
        """The exact cost of each component, in micro-units, in the order they follow."""
        version = self.version
        exact = {
            "energy": sum(
                (wh * self._price(slot) for slot, wh in self.energy_wh.items()), Fraction(0)
            )
        }
        for fixed in version.fixed:
            days = self.used_days if fixed.skips_unused else self.days
            amount = fixed.amount_micro * Fraction(days)
            exact[fixed.name] = Fraction(
                floor(amount / self.days_in_month) if fixed.per_month else amount
            )
        for demand in version.demand:
            exact[demand.name] = self._demand(demand)
        for share in version.before_minimum:
            exact[share.name] = self._share(share, exact)
        exact["minimum"] = self._lacking(exact)
        for tax in version.taxes:
            exact[tax.name] = self._share(tax, exact)
        return exact

    def _demand(self, demand: Demand) -> Fraction:
        if not demand.window_minutes:
            return Fraction(floor(Fraction(demand.a_month_micro * self.days, self.days_in_month)))
        more_w = self.peaks.get(demand.name, 0) - self.charged_peaks.get(demand.name, 0)
        return max(more_w, 0) * demand.price

    def _share(self, share: Share, exact: Mapping[str, Fraction]) -> Fraction:
        if share.per_unit is not None:
            paid_wh = sum(wh for (_, block), wh in self.energy_wh.items() if block >= 0)
            return paid_wh * share.per_unit
        base = sum((exact[name] for name in share.on if name in exact), Fraction(0))
        value = Fraction(floor(base * share.share * 1000), 1000)
        return -value if share.off else value

    def _lacking(self, exact: Mapping[str, Fraction]) -> Fraction:
        if not self.ended:
            return Fraction(0)
        due = floor(Fraction(self.version.minimum_micro * self.days, self.days_in_month))
        reached = sum(
            (exact.get(name, Fraction(0)) for name in self.version.minimum_on), Fraction(0)
        )
        return max(due - reached, Fraction(0))
