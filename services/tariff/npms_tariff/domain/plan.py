"""A tariff plan's prices as they were written down, and what makes them wrong."""

from dataclasses import dataclass
from typing import Literal

MINUTES_A_DAY = 1440
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TAXABLE = ("energy", "daily")

BlockScope = Literal["per_period", "month_total"]


@dataclass(frozen=True, slots=True)
class Period:
    """A price period, e.g. `peak`: micro-units per kWh, one price for each block."""

    name: str
    prices_micro: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """When a period applies: on these weekdays (Monday is 0), local minutes from (in) to (out)."""

    period: str
    weekdays: tuple[int, ...]
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Tax:
    """A share, in parts per million, of the cost of the components named in `on`."""

    name: str
    rate_ppm: int
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """Everything a plan version charges for.

    `block_edges_wh` are the upper bounds of all blocks but the last, which is open.
    With `per_period` every period counts its own month's energy against them; with
    `month_total` the energy of all periods counts, in the order it was used. Without a
    schedule there is one period, and it always applies.
    """

    periods: tuple[Period, ...]
    schedule: tuple[Band, ...] = ()
    block_edges_wh: tuple[int, ...] = ()
    block_scope: BlockScope = "month_total"
    daily_micro: int = 0
    taxes: tuple[Tax, ...] = ()


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a plan, and where: a JSON pointer into the document."""

    pointer: str
    code: str
    detail: str


class InvalidPlan(Exception):
    """The plan cannot rate; `flaws` has every reason, at least one."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(f"{f.pointer}: {f.detail}" for f in flaws))
        self.flaws = flaws


def check(prices: Prices) -> None:
    """Raise InvalidPlan unless every minute of the week and every Wh has exactly one price."""
    flaws = [*_period_flaws(prices), *_block_flaws(prices), *_tax_flaws(prices)]
    flaws += _schedule_flaws(prices)
    if flaws:
        raise InvalidPlan(flaws)


def _period_flaws(prices: Prices) -> list[Flaw]:
    flaws, blocks = [], len(prices.block_edges_wh) + 1
    names = [period.name for period in prices.periods]
    if not names:
        flaws.append(Flaw("/energy/periods", "no_periods", "at least one period is needed"))
    for i, period in enumerate(prices.periods):
        at = f"/energy/periods/{i}"
        if period.name in names[:i]:
            flaws.append(Flaw(f"{at}/name", "duplicate_period", f"{period.name!r} is there twice"))
        if len(period.prices_micro) != blocks:
            detail = f"{blocks} blocks need {blocks} prices, {len(period.prices_micro)} given"
            flaws.append(Flaw(f"{at}/prices", "wrong_number_of_prices", detail))
        flaws += [
            Flaw(f"{at}/prices/{b}", "negative_price", "a price is zero or more")
            for b, price in enumerate(period.prices_micro)
            if price < 0
        ]
    return flaws


def _block_flaws(prices: Prices) -> list[Flaw]:
    edges = prices.block_edges_wh
    return [
        Flaw(
            f"/energy/block_edges_wh/{i}",
            "blocks_out_of_order",
            f"{edge} is not above {edges[i - 1] if i else 0}",
        )
        for i, edge in enumerate(edges)
        if edge <= (edges[i - 1] if i else 0)
    ]


def _tax_flaws(prices: Prices) -> list[Flaw]:
    flaws = []
    names = [tax.name for tax in prices.taxes]
    for i, tax in enumerate(prices.taxes):
        if tax.name in names[:i]:
            detail = f"{tax.name!r} is there twice"
            flaws.append(Flaw(f"/taxes/{i}/name", "duplicate_tax", detail))
        flaws += [
            Flaw(f"/taxes/{i}/on/{j}", "unknown_component", f"{on!r} is none of {TAXABLE}")
            for j, on in enumerate(tax.on)
            if on not in TAXABLE
        ]
    if prices.daily_micro < 0:
        flaws.append(Flaw("/daily/amount", "negative_price", "a daily charge is zero or more"))
    return flaws


def _schedule_flaws(prices: Prices) -> list[Flaw]:
    if not prices.schedule:
        return _missing_schedule(prices)
    names = {period.name for period in prices.periods}
    flaws = []
    for i, band in enumerate(prices.schedule):
        if band.period not in names:
            at = f"/energy/schedule/{i}/period"
            flaws.append(Flaw(at, "unknown_period", f"no period is called {band.period!r}"))
        if not 0 <= band.from_minute < band.to_minute <= MINUTES_A_DAY:
            detail = "a range ends after it begins and within the day; split it at midnight"
            flaws.append(Flaw(f"/energy/schedule/{i}", "empty_range", detail))
    return flaws or [*_overlaps(prices.schedule), *_gaps(prices.schedule)]


def _missing_schedule(prices: Prices) -> list[Flaw]:
    if len(prices.periods) <= 1:
        return []
    return [Flaw("/energy/schedule", "gap", "more than one period needs a schedule")]


def _overlaps(schedule: tuple[Band, ...]) -> list[Flaw]:
    flaws = []
    for i, band in enumerate(schedule):
        for j, other in enumerate(schedule[:i]):
            days = [day for day in band.weekdays if day in other.weekdays]
            start = max(band.from_minute, other.from_minute)
            end = min(band.to_minute, other.to_minute)
            if days and start < end:
                detail = f"overlaps /energy/schedule/{j} on {_span(days[0], start, end)}"
                flaws.append(Flaw(f"/energy/schedule/{i}", "overlap", detail))
    return flaws


def _gaps(schedule: tuple[Band, ...]) -> list[Flaw]:
    flaws = []
    for day in range(7):
        covered = 0
        bands = sorted((b.from_minute, b.to_minute) for b in schedule if day in b.weekdays)
        for start, end in [*bands, (MINUTES_A_DAY, MINUTES_A_DAY)]:
            if start > covered:
                detail = f"no period applies on {_span(day, covered, start)}"
                flaws.append(Flaw("/energy/schedule", "gap", detail))
            covered = max(covered, end)
    return flaws


def _span(day: int, start: int, end: int) -> str:
    return f"{DAY_NAMES[day]} {_clock(start)}-{_clock(end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
