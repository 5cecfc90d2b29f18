"""`npms bench-rating`: what rating alone costs, beside a loop that only adds the same integers.

Two shapes, because the engine keeps a cursor: a year of hourly readings of one
account, in which every reading opens another hour, and one interval of many
accounts, as the service has it. Seconds are of the processor, so that what else
runs on the machine counts less.
"""

import gc
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff
from npms_tools.bench import machine

BEGINS_S = 1_861_920_000
"""2029-01-01 UTC, a Monday: the year that PySAM has."""
HOURS = 8760
HOUR_S, INTERVAL_S = 3600, 900
AT_A_TIME = 100_000
"""So many accounts are in memory together; a million would take gigabytes."""
BATCH = 1000
PYSAM = Path("tools/pysam/sam_bills.py")
TIERS = ((200, 0.12), (500, 0.16), (1e38, 0.21))
FACTORS = {"off": 0.7, "day": 1.0, "peak": 1.8}
HOURS_OF = {"off": (0, 6), "day": (6, 18), "peak": (18, 24)}


def bench_rating(
    runs: Annotated[int, typer.Option(min=1, help="medians of so many")] = 5,
    accounts: Annotated[int, typer.Option(min=BATCH, help="of one interval")] = 1_000_000,
    pysam: Annotated[Path, typer.Option(help="a Python with PySAM")] = Path(
        ".run/pysam/bin/python"
    ),
) -> None:
    """Measure; print a table of microseconds a reading and ratios."""
    console = Console()
    figures = [
        ("one account, a year of hours", HOURS, *_both(runs, year_rated, year_added)),
        ("the same, with the plan's days cut anew", HOURS, *_both(runs, year_cut, year_added)),
        (
            f"{accounts:,} accounts, one quarter of an hour", accounts,
            *_both(runs, lambda: interval_rated(accounts), lambda: interval_added(accounts)),
        ),
    ]  # fmt: skip
    console.print(_table(figures))
    console.print(_beside_pysam(pysam, figures[0][2], runs))
    console.print(f"medians of {runs} runs on {machine.describe()}")


def _both(runs: int, rated: Callable[[], float], added: Callable[[], float]) -> tuple[float, float]:
    """Median seconds of both, run by turns so that a slow moment hits both."""
    pairs = [(rated(), added()) for _ in range(runs)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def _table(figures: list[tuple[str, int, float, float]]) -> Table:
    table = Table("readings", "rated, µs each", "added, µs each", "ratio", "readings/s")
    for name, count, rated_s, added_s in figures:
        table.add_row(
            name,
            f"{rated_s / count * 1e6:.2f}",
            f"{added_s / count * 1e6:.3f}",
            f"{rated_s / added_s:.0f}",
            f"{count / rated_s:,.0f}",
        )
    return table


def plan() -> Tariff:
    """Three periods, three blocks each, two taxes."""
    periods = [
        {
            "name": name,
            "blocks": [
                {**({"upto": f"{upto}"} if upto < 1e38 else {}), "price": f"{price * factor:.6f}"}
                for upto, price in TIERS
            ],
        }
        for name, factor in FACTORS.items()
    ]
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    schedule = [
        {"period": name, "weekdays": week, "from": f"{begins:02d}:00", "to": f"{ends:02d}:00"}
        for name, (begins, ends) in HOURS_OF.items()
    ]
    document = {
        "energy": {"periods": periods, "schedule": schedule},
        "taxes": [
            {"name": "vat", "rate_ppm": 160_000, "on": ["energy"]},
            {"name": "levy", "rate_ppm": 50_000, "on": ["energy"]},
        ],
    }
    prices = PlanDocument.model_validate(document).prices()
    check(prices)
    return Tariff(1, 0, prices)


def year_of_load() -> list[int]:
    random = Random(1)
    return [random.randint(100, 1800) for _ in range(HOURS)]


def _opened(calendar: Calendar, account_id: int) -> RatingState:
    return RatingState(
        account_id, account_id=account_id, currency="USD", calendar=calendar, register_wh=0,
        read_at_s=BEGINS_S,
    )  # fmt: skip


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    begun = time.process_time()
    work()
    took_s = time.process_time() - begun
    gc.enable()
    return took_s


def year_rated() -> float:
    """Seconds to rate a year of hourly readings of one account; others have used the calendar."""
    calendar = Calendar((plan(),), ZoneInfo("UTC"))
    _year_of(calendar)
    return _year_of(calendar)


def year_cut() -> float:
    """Likewise where it is the first account of its plan and zone."""
    return _year_of(Calendar((plan(),), ZoneInfo("UTC")))


def _year_of(calendar: Calendar) -> float:
    load, state = year_of_load(), _opened(calendar, 1)

    def work() -> None:
        rated, at_s, register_wh = Rated(), BEGINS_S, 0
        for wh in load:
            at_s += HOUR_S
            register_wh += wh
            rate(state, at_s, register_wh, rated)

    return _timed(work)


def year_added() -> float:
    """Seconds to add the same integers."""
    load = year_of_load()

    def work() -> int:
        at_s, register_wh = BEGINS_S, 0
        for wh in load:
            at_s += HOUR_S
            register_wh += wh
        return register_wh

    return _timed(work)


def _groups(accounts: int) -> Iterator[int]:
    while accounts > 0:
        yield min(accounts, AT_A_TIME)
        accounts -= AT_A_TIME


def interval_rated(accounts: int) -> float:
    """Seconds to rate one reading each of many accounts, each a quarter of an hour on."""
    calendar = Calendar((plan(),), ZoneInfo("UTC"))
    return sum(_group_rated(calendar, count) for count in _groups(accounts))


def _group_rated(calendar: Calendar, count: int) -> float:
    states = [_opened(calendar, account_id) for account_id in range(count)]
    at_s, opening = BEGINS_S + INTERVAL_S, Rated()
    for state in states:
        rate(state, at_s, 100, opening)

    def work() -> None:
        for first in range(0, count, BATCH):
            rated = Rated()
            for state in states[first : first + BATCH]:
                rate(state, at_s + INTERVAL_S, 350, rated)

    return _timed(work)


def interval_added(accounts: int) -> float:
    """Seconds to add the same integers to as many registers."""
    return sum(_group_added(count) for count in _groups(accounts))


def _group_added(count: int) -> float:
    registers, used = [100] * count, 250

    def work() -> None:
        for account in range(count):
            registers[account] += used

    return _timed(work)


def _beside_pysam(python: Path, year_s: float, runs: int) -> str:
    if not python.exists():
        return f"no PySAM at {python}: `make test-pysam` installs it"
    case = json.dumps([_pysam_case()] * runs)
    ran = subprocess.run([python, PYSAM], input=case, capture_output=True, text=True, check=True)
    took_s = median(one["seconds"] for one in json.loads(ran.stdout))
    return (
        f"PySAM utilityrate5, the same year and prices without taxes: {took_s * 1000:.1f} ms, "
        f"{took_s / HOURS * 1e6:.2f} µs an hour; rating takes {year_s / took_s:.1f} times as long"
    )


def _pysam_case() -> dict[str, Any]:
    schedule = [
        [
            1
            + next(i for i, (begins, ends) in enumerate(HOURS_OF.values()) if begins <= hour < ends)
            for hour in range(24)
        ]
    ] * 12
    energy = [
        [i + 1, j + 1, upto, 0, price * factor, 0.0]
        for i, factor in enumerate(FACTORS.values())
        for j, (upto, price) in enumerate(TIERS)
    ]
    load = [wh / 1000 for wh in year_of_load()]
    return {"load_kw": load, "energy": energy, "weekday": schedule, "weekend": schedule}
