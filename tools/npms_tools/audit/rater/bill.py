"""What readings cost: walked piece by piece with exact fractions, rounded as published."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import floor

from npms_tools.audit.rater.almanac import Almanac, Piece
from npms_tools.audit.rater.plan import Version

Reading = tuple[int, int]
"""(epoch seconds, register in Wh)"""


@dataclass(slots=True)
class Scope:
    """What was used in one month under one version; energy in Wh by (period, block from 0)."""

    version: Version
    energy_wh: dict[tuple[str, int], int] = field(default_factory=dict)
    days: int = 0

    def use(self, period: str, energy_wh: int) -> None:
        """Fill the blocks with energy used in a period, from where they stand."""
        edges = self.version.block_edges_wh
        counted = period if self.version.blocks_per_period else None
        while energy_wh:
            used = sum(wh for (name, _), wh in self.energy_wh.items() if counted in (None, name))
            block = sum(1 for edge in edges if edge <= used)
            part = min(energy_wh, edges[block] - used) if block < len(edges) else energy_wh
            self.energy_wh[period, block] = self.energy_wh.get((period, block), 0) + part
            energy_wh -= part

    @property
    def tax_micro(self) -> int:
        energy = sum((self._cost(*slot) for slot in self.energy_wh), Fraction(0))
        daily = self.days * self.version.daily_micro
        return sum(
            floor(tax.share * (energy * tax.on_energy + daily * tax.on_daily))
            for tax in self.version.taxes
        )

    @property
    def cost_micro(self) -> int:
        energy = sum(floor(self._cost(*slot)) for slot in self.energy_wh)
        return energy + self.days * self.version.daily_micro + self.tax_micro

    def _cost(self, period: str, block: int) -> Fraction:
        return self.energy_wh[period, block] * self.version.prices[period][block]


@dataclass(slots=True)
class Bill:
    """All scopes of one installation, by (version id, year, month)."""

    scopes: dict[tuple[int, int, int], Scope] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)

    def add(self, piece: Piece, energy_wh: int) -> None:
        key = piece.version.version_id, piece.day.year, piece.day.month
        scope = self.scopes.setdefault(key, Scope(piece.version))
        if piece.day not in self.days:
            self.days.add(piece.day)
            scope.days += 1
        scope.use(piece.period, energy_wh)

    @property
    def energy_wh(self) -> int:
        return sum(sum(scope.energy_wh.values()) for scope in self.scopes.values())

    @property
    def cost_micro(self) -> int:
        return sum(scope.cost_micro for scope in self.scopes.values())

    @property
    def tax_micro(self) -> int:
        return sum(scope.tax_micro for scope in self.scopes.values())


def bill(opening: Reading, readings: Iterable[Reading], almanac: Almanac) -> Bill:
    """Everything from the opening register to the last reading; times must rise strictly."""
    made = Bill()
    for (from_s, from_wh), (to_s, to_wh) in pairwise([opening, *readings]):
        slope = Fraction(to_wh - from_wh, to_s - from_s)
        reached_wh = from_wh
        for piece in almanac.between(from_s, to_s):
            until_s = min(piece.to_s, to_s)
            until_wh = from_wh + floor(slope * (until_s - from_s))
            made.add(piece, until_wh - reached_wh)
            reached_wh = until_wh
    return made
