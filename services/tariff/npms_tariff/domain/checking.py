"""What makes a plan wrong: every flaw with its place, so that one answer mends them all."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from npms_tariff.domain.plan import (
    DAY_NAMES,
    ENERGY,
    HOLIDAY,
    MINIMUM,
    MINUTES_A_DAY,
    RESERVED,
    Band,
    Period,
    Prices,
    Season,
)

WINDOWS = (15, 30, 60)
_LEAP_YEAR = 2028


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
    """Every minute of the year and every unit has exactly one price, and every component names only
    what is there before it; raises InvalidPlan where not."""
    flaws = [
        *_period_flaws(prices.periods),
        *_rule_flaws(prices),
        *_season_flaws(prices.seasons),
        *_demand_flaws(prices),
        *_name_flaws(prices),
        *_reference_flaws(prices),
        *_amount_flaws(prices),
    ]
    flaws += _schedule_flaws(prices)
    if flaws:
        raise InvalidPlan(flaws)


def _period_flaws(periods: tuple[Period, ...]) -> Iterator[Flaw]:
    names = [period.name for period in periods]
    if not names:
        yield Flaw("/energy/periods", "no_periods", "at least one period is needed")
    for i, period in enumerate(periods):
        at = f"/energy/periods/{i}"
        if period.name in names[:i]:
            yield Flaw(f"{at}/name", "duplicate_period", f"{period.name!r} is there twice")
        if period.name in RESERVED:
            yield Flaw(f"{at}/name", "reserved_name", f"{period.name!r} means something else")
        yield from _block_flaws(period, at)


def _block_flaws(period: Period, at: str) -> Iterator[Flaw]:
    if not period.blocks:
        yield Flaw(f"{at}/blocks", "no_blocks", "at least one block is needed")
    last, reached = len(period.blocks) - 1, 0
    for b, block in enumerate(period.blocks):
        place = f"{at}/blocks/{b}"
        if block.price_micro < 0:
            yield Flaw(f"{place}/price", "negative_price", "a price is zero or more")
        if block.upto_wh is None:
            if b < last:
                yield Flaw(f"{place}/upto", "block_open", "only the last block has no end")
            continue
        if b == last:
            yield Flaw(f"{place}/upto", "block_closed", "the last block has no end; leave it out")
        if block.upto_wh <= reached:
            detail = f"{block.upto_wh / 1000:g} is not above {reached / 1000:g}"
            yield Flaw(f"{place}/upto", "blocks_out_of_order", detail)
        reached = max(reached, block.upto_wh)


def _rule_flaws(prices: Prices) -> Iterator[Flaw]:
    if prices.blocks.reset == "day" and prices.blocks.size != "fixed":
        detail = "blocks that begin anew every day have bounds as written"
        yield Flaw("/energy/blocks/size", "size_does_not_fit", detail)


def _season_flaws(seasons: tuple[Season, ...]) -> Iterator[Flaw]:
    if not seasons:
        return
    names = [season.name for season in seasons]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Flaw(f"/seasons/{i}/name", "duplicate_season", f"{name!r} is there twice")
    for day in _year():
        found = [i for i, s in enumerate(seasons) if in_season(s, (day.month, day.day))]
        if len(found) != 1:
            on = f"{day.month:02d}-{day.day:02d}"
            places = " and ".join(f"/seasons/{i}" for i in found) or "no season"
            code = "season_overlap" if found else "season_gap"
            yield Flaw("/seasons", code, f"{on} lies in {places}")
            return


def _year() -> Iterator[date]:
    day = date(_LEAP_YEAR, 1, 1)
    while day.year == _LEAP_YEAR:
        yield day
        day += timedelta(days=1)


def in_season(season: Season, day: tuple[int, int]) -> bool:
    """Whether a (month, day) lies in a season."""
    if season.begins <= season.ends:
        return season.begins <= day <= season.ends
    return day >= season.begins or day <= season.ends


def _demand_flaws(prices: Prices) -> Iterator[Flaw]:
    known = {period.name for period in prices.periods}
    highest = [(i, demand) for i, demand in enumerate(prices.demand) if demand.of == "highest"]
    for i, demand in highest:
        at = f"/demand/{i}"
        if demand.window_minutes not in WINDOWS:
            detail = f"a window lasts one of {', '.join(map(str, WINDOWS))} minutes"
            yield Flaw(f"{at}/window_minutes", "window_unknown", detail)
        if demand.window_minutes != highest[0][1].window_minutes:
            detail = f"all windows of a plan last the same; /demand/{highest[0][0]} has others"
            yield Flaw(f"{at}/window_minutes", "windows_differ", detail)
        for j, name in enumerate(demand.periods):
            if name not in known:
                detail = f"no period is called {name!r}"
                yield Flaw(f"{at}/periods/{j}", "unknown_period", detail)


def _named(prices: Prices) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(place, name, on) of every component that has a name, in the order they are computed."""
    yield from ((f"/fixed/{i}", part.name, ()) for i, part in enumerate(prices.fixed))
    yield from ((f"/demand/{i}", part.name, ()) for i, part in enumerate(prices.demand))
    yield from ((f"/levies/{i}", part.name, part.on) for i, part in enumerate(prices.levies))
    yield from ((f"/discounts/{i}", part.name, part.on) for i, part in enumerate(prices.discounts))
    if prices.minimum is not None:
        yield "/minimum", MINIMUM, prices.minimum.on
    yield from ((f"/taxes/{i}", part.name, part.on) for i, part in enumerate(prices.taxes))


def _name_flaws(prices: Prices) -> Iterator[Flaw]:
    seen: set[str] = set()
    for at, name, _ in _named(prices):
        if name in seen:
            yield Flaw(f"{at}/name", "duplicate_component", f"{name!r} is there twice")
        if name in RESERVED and at != "/minimum":
            yield Flaw(f"{at}/name", "reserved_name", f"{name!r} means something else")
        seen.add(name)


def _reference_flaws(prices: Prices) -> Iterator[Flaw]:
    """A share is of what was computed before it; what is taken at a vend is taxed only."""
    vended = {fixed.name for fixed in prices.fixed if fixed.first_vend}
    before = [ENERGY]
    for at, name, on in _named(prices):
        taxing = at.startswith("/taxes")
        for j, base in enumerate(on):
            if base not in before or (base in vended and not taxing):
                known = [component for component in before if taxing or component not in vended]
                detail = f"{base!r} is none of {', '.join(known)}"
                yield Flaw(f"{at}/on/{j}", "unknown_component", detail)
            elif base in on[:j]:
                yield Flaw(f"{at}/on/{j}", "duplicate_component", f"{base!r} is there twice")
        before.append(name)


def _amount_flaws(prices: Prices) -> Iterator[Flaw]:
    for i, levy in enumerate(prices.levies):
        if (levy.per_unit_micro is None) != bool(levy.on) or (levy.rate_ppm and not levy.on):
            detail = "a levy has either per_unit, or rate_ppm with on"
            yield Flaw(f"/levies/{i}", "levy_unclear", detail)
    for i, fixed in enumerate(prices.fixed):
        if fixed.first_vend and (fixed.per == "day" or fixed.skip_unused):
            detail = "what is collected at the first vend is per month, used or not"
            yield Flaw(f"/fixed/{i}/collect", "collect_does_not_fit", detail)


def _schedule_flaws(prices: Prices) -> list[Flaw]:
    if not prices.schedule:
        return _missing_schedule(prices)
    flaws = [
        flaw for i, band in enumerate(prices.schedule) for flaw in _band_flaws(prices, i, band)
    ]
    return flaws or [*_overlaps(prices), *_gaps(prices)]


def _missing_schedule(prices: Prices) -> list[Flaw]:
    if len(prices.periods) <= 1:
        return []
    return [Flaw("/energy/schedule", "gap", "more than one period needs a schedule")]


def _band_flaws(prices: Prices, i: int, band: Band) -> Iterator[Flaw]:
    at = f"/energy/schedule/{i}"
    if band.period not in {period.name for period in prices.periods}:
        yield Flaw(f"{at}/period", "unknown_period", f"no period is called {band.period!r}")
    known = {season.name for season in prices.seasons}
    for j, name in enumerate(band.seasons):
        if name not in known:
            yield Flaw(f"{at}/seasons/{j}", "unknown_season", f"no season is called {name!r}")
    if HOLIDAY in band.weekdays and not prices.holidays:
        detail = "there are no holidays; name them in /holidays"
        yield Flaw(f"{at}/weekdays", "no_holidays", detail)
    if not 0 <= band.from_minute < band.to_minute <= MINUTES_A_DAY:
        detail = "a range ends after it begins and within the day; split it at midnight"
        yield Flaw(at, "empty_range", detail)


def _season_names(prices: Prices) -> Sequence[str | None]:
    return [season.name for season in prices.seasons] or [None]


def applies(band: Band, season: str | None) -> bool:
    """Whether a band is one of the season's."""
    return not band.seasons or season in band.seasons


def _overlaps(prices: Prices) -> Iterator[Flaw]:
    for i, band in enumerate(prices.schedule):
        for j, other in enumerate(prices.schedule[:i]):
            days = [day for day in band.weekdays if day in other.weekdays]
            start = max(band.from_minute, other.from_minute)
            end = min(band.to_minute, other.to_minute)
            shared = any(
                applies(band, season) and applies(other, season) for season in _season_names(prices)
            )
            if shared and days and start < end:
                detail = f"overlaps /energy/schedule/{j} on {_span(days[0], start, end)}"
                yield Flaw(f"/energy/schedule/{i}", "overlap", detail)


def _gaps(prices: Prices) -> Iterator[Flaw]:
    days = range(HOLIDAY + 1 if prices.holidays else HOLIDAY)
    for season in _season_names(prices):
        within = f" in {season}" if season else ""
        for day in days:
            bands = (b for b in prices.schedule if day in b.weekdays and applies(b, season))
            for start, end in _uncovered(bands):
                detail = f"no period applies on {_span(day, start, end)}{within}"
                yield Flaw("/energy/schedule", "gap", detail)


def _uncovered(bands: Iterable[Band]) -> Iterator[tuple[int, int]]:
    """The stretches of a day that no band covers; the bands do not overlap."""
    spans = sorted((band.from_minute, band.to_minute) for band in bands)
    for (_, end), (start, _) in pairwise([(0, 0), *spans, (MINUTES_A_DAY, MINUTES_A_DAY)]):
        if end < start:
            yield end, start


def _span(day: int, start: int, end: int) -> str:
    return f"{DAY_NAMES[day]} {_clock(start)}-{_clock(end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
