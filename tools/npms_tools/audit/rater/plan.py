"""A plan version as the slow rater reads it from its document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Band:
    """A period applies on these weekdays (Monday is 0) from a local minute to before another."""

    period: str
    weekdays: frozenset[int]
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Tax:
    share: Fraction
    on_energy: bool
    on_daily: bool


@dataclass(frozen=True, slots=True)
class Version:
    """`prices` has micro-units per Wh for each block, by period; `block_edges_wh` are the upper
    bounds of all blocks but the last."""

    version_id: int
    valid_from_s: int
    prices: Mapping[str, Sequence[Fraction]]
    bands: tuple[Band, ...]
    block_edges_wh: tuple[int, ...]
    blocks_per_period: bool
    daily_micro: int
    taxes: tuple[Tax, ...]

    def period_at(self, weekday: int, minute: int) -> str:
        """The one period whose band covers a local minute."""
        if not self.bands:
            (only,) = self.prices
            return only
        (found,) = (
            band.period
            for band in self.bands
            if weekday in band.weekdays and band.from_minute <= minute < band.to_minute
        )
        return found
