"""An oracle for the rater: minute by minute, Wh by Wh where it matters, in fractions.

It shares nothing with the service but the written prices: local time is asked of
zoneinfo for every minute, cost is a fraction until it is rounded down once per line.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from math import floor
from zoneinfo import ZoneInfo

from npms_tariff.domain.plan import Prices

MINUTE_S = 60
MICRO_A_KWH = Fraction(1, 1000)


@dataclass
class Scope:
    prices: Prices
    energy: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    days: int = 0

    def use(self, period: str, energy_wh: int) -> None:
        edges = self.prices.block_edges_wh
        used = sum(
            wh
            for (name, _), wh in self.energy.items()
            if self.prices.block_scope == "month_total" or name == period
        )
        for block, edge in enumerate((*edges, None)):
            if edge is not None and used >= edge:
                continue
            part = energy_wh if edge is None else min(energy_wh, edge - used)
            self.energy[(period, block)] += part
            used, energy_wh = used + part, energy_wh - part

    def lines(self) -> dict[tuple[str, str, int], int]:
        """Micro-units by (component, period, block)."""
        price = {p.name: p.prices_micro for p in self.prices.periods}
        exact = {
            ("energy", period, block + 1): wh * price[period][block] * MICRO_A_KWH
            for (period, block), wh in self.energy.items()
        }
        base = {"energy": sum(exact.values(), Fraction(0))}
        base["daily"] = exact[("daily", "", 0)] = Fraction(self.days * self.prices.daily_micro)
        for tax in self.prices.taxes:
            due = sum((base[name] for name in tax.on), Fraction(0)) * Fraction(tax.rate_ppm, 10**6)
            exact[(f"tax:{tax.name}", "", 0)] = due
        return {key: floor(micro) for key, micro in exact.items() if floor(micro)}


def cost_lines(
    versions: list[tuple[int, Prices]], zone: ZoneInfo, readings: list[tuple[int, int]]
) -> dict[tuple[str, str, int], int]:
    """What all readings (seconds, register) cost together; every change falls on a full minute."""
    scopes: dict[tuple[int, int, int], Scope] = {}
    days_begun: set[object] = set()
    for (from_s, from_wh), (to_s, to_wh) in pairwise(readings):
        start_s, done_wh = from_s, from_wh
        while start_s < to_s:
            end_s = min(to_s, start_s - start_s % MINUTE_S + MINUTE_S)
            upto_wh = from_wh + floor(Fraction((to_wh - from_wh) * (end_s - from_s), to_s - from_s))
            local = datetime.fromtimestamp(start_s, zone)
            version = max(i for i, (at, _) in enumerate(versions) if at <= start_s)
            prices = versions[version][1]
            scope = scopes.setdefault((version, local.year, local.month), Scope(prices))
            if local.date() not in days_begun:
                days_begun.add(local.date())
                scope.days += 1
            scope.use(_period(prices, local), upto_wh - done_wh)
            start_s, done_wh = end_s, upto_wh
    total: dict[tuple[str, str, int], int] = defaultdict(int)
    for scope in scopes.values():
        for key, micro in scope.lines().items():
            total[key] += micro
    return dict(total)


def _period(prices: Prices, local: datetime) -> str:
    minute = local.hour * 60 + local.minute
    for band in prices.schedule:
        if local.weekday() in band.weekdays and band.from_minute <= minute < band.to_minute:
            return band.period
    return prices.periods[0].name
