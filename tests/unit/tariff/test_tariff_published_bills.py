"""Bills that utilities print as examples, rated from hourly readings, line by line to the cent."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.unit.tariff import slow_rater

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

FOLDER = Path(__file__).parents[3] / "examples" / "tariffs"
FILES = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
BILLS = [
    pytest.param(tariff, bill, id=f"{name}: {bill['note']}")
    for name, tariff in FILES.items()
    for bill in tariff["bills"]
]
ROUNDINGS = {"half_up": ROUND_HALF_UP, "down": ROUND_DOWN}
HOUR_S = 3600


def hours_of(bill: dict[str, Any]) -> Iterator[int]:
    """The hours that begin in the billed months, or in so many days, as seconds."""
    zone = ZoneInfo(bill["zone"])
    if "days" in bill:
        first = date.fromisoformat(bill["from"])
        after = first + timedelta(days=bill["days"])
    else:
        after = first = date.fromisoformat(f"{bill['month']}-01")
        for _ in range(bill.get("months", 1)):
            after = (after.replace(day=28) + timedelta(days=4)).replace(day=1)
    begin, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (first, after))
    return iter(range(int(begin.timestamp()), int(end.timestamp()), HOUR_S))


def spread(hours: list[int], units: str) -> dict[int, int]:
    """Base units by hour: as even as integers can be."""
    total, count = slow_rater.base_units(units), len(hours)
    return {at_s: total * (i + 1) // count - total * i // count for i, at_s in enumerate(hours)}


def load_of(tariff: dict[str, Any], bill: dict[str, Any]) -> dict[int, int]:
    usage, hours = dict(bill["usage"]), list(hours_of(bill))
    if "highest_kw" in usage:
        peak, rest = usage["highest_kw"], hours[1:]
        left = str(Decimal(usage["total"]) - Decimal(peak))
        return {hours[0]: slow_rater.base_units(peak), **spread(rest, left)}
    if "days" in bill:
        return spread(hours, usage["total"])
    if "total" in usage:
        per_month: dict[str, list[int]] = {}
        for at_s in hours:
            local = datetime.fromtimestamp(at_s, ZoneInfo(bill["zone"]))
            per_month.setdefault(f"{local:%Y-%m}", []).append(at_s)
        each = str(Decimal(usage["total"]) / len(per_month))
        return {at: wh for month in per_month.values() for at, wh in spread(month, each).items()}
    return {
        at_s: wh
        for period, units in usage.items()
        for at_s, wh in spread(
            [h for h in hours if period_at(tariff, bill, h) == period], units
        ).items()
    }


def period_at(tariff: dict[str, Any], bill: dict[str, Any], at_s: int) -> str:
    local = datetime.fromtimestamp(at_s, ZoneInfo(bill["zone"]))
    bands = slow_rater.bands_of(tariff["document"], local.date())
    return next(period for start, end, period in bands if start <= local.hour * 60 < end)


def rated_lines(tariff: dict[str, Any], bill: dict[str, Any]) -> dict[str, int]:
    """Micro-units by `component/period/block`, or `component` where it has no period."""
    prices = PlanDocument.model_validate(tariff["document"]).prices()
    check(prices)
    version = Tariff(1, 0, prices).for_class(bill.get("customer_class", ""))
    load = load_of(tariff, bill)
    hours = sorted(load)
    state = RatingState(
        7, account_id=9, currency=tariff["currency"], register_wh=0, read_at_s=hours[0],
        calendar=Calendar((version,), ZoneInfo(bill["zone"])),
        connected_w=slow_rater.base_units(bill.get("connected_kw", "0")),
    )  # fmt: skip
    rated, register_wh = Rated(), 0
    for at_s in hours:
        register_wh += load[at_s]
        rate(state, at_s + HOUR_S, register_wh, rated)
    finish(state, rated)
    lines: dict[str, int] = {}
    for charge in rated.charges:
        for component, period, block, _, micro in charge[-1]:
            name = f"{component}/{period}/{block}" if period else component
            lines[name] = lines.get(name, 0) + micro
    return {name: micro for name, micro in lines.items() if micro}


def sum_of(lines: dict[str, int], names: str) -> Decimal:
    """The sum of the lines that begin with one of the names, which `+` stands between."""
    wanted = names.split("+")
    micro = sum(m for line, m in lines.items() if any(belongs(line, name) for name in wanted))
    return Decimal(micro) / 1_000_000


def belongs(line: str, name: str) -> bool:
    return line == name or line.startswith(f"{name}/")


def as_printed(amount: Decimal, printed: str, bill: dict[str, Any]) -> Decimal:
    """Rounded as the source does, to as many decimals as it prints."""
    decimals = len(printed.partition(".")[2])
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUNDINGS[bill.get("rounding", "half_up")])


@pytest.mark.parametrize(("tariff", "bill"), BILLS)
def test_every_line_and_the_total_are_those_of_the_printed_bill(tariff, bill):
    lines, expected = rated_lines(tariff, bill), bill["expected"]
    covered = [name for line in lines for name in expected["lines"] if belongs(line, name)]
    assert len(covered) == len(lines), "the source's lines are all there is, each once"
    shown = {}
    for name, printed in (expected["lines"] | expected.get("subtotals", {})).items():
        if printed is not None:
            shown[name] = as_printed(sum_of(lines, name), printed, bill)
            assert shown[name] == Decimal(printed), (name, lines)
    total = sum(
        (
            shown.get(name) or as_printed(sum_of(lines, name), "0.00", bill)
            for name in expected["lines"]
        ),
        Decimal(0),
    )
    assert as_printed(total, expected["total"], bill) == Decimal(expected["total"])


def test_ten_tariffs_or_more_are_from_the_utilities_themselves():
    assert sum(tariff["from_the_utility"] for tariff in FILES.values()) >= 10


def test_there_are_tariffs_of_ten_countries_with_their_sources():
    assert len({tariff["country"] for tariff in FILES.values()}) >= 10
    assert {"electricity", "water"} <= {tariff["commodity"] for tariff in FILES.values()}
    assert all("http" in tariff["source"] for tariff in FILES.values())


def test_the_table_of_the_readme_has_every_file():
    table = (FOLDER / "README.md").read_text()
    for name, tariff in FILES.items():
        assert f"`{name}.json`" in table
        assert tariff["country"] in table
