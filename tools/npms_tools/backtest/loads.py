"""Daily use of the simulated street's homes: as it is, and with weekends, journeys and weather."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

from npms_shared.clock import ManualClock
from npms_tools.street.households import STEP_S, draw_w
from npms_tools.street.street import Plan, build_street

BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
DAY_S = 86_400
WEEKEND_PERCENT = {"family": 125, "couple": 140, "pensioner": 100, "workshop": 12}
AWAY_PERCENT = 15
JOURNEYS_PERMILLE = 15
"""Of a thousand days so many begin a journey."""
WEATHER_PERCENT, WEATHER_DAYS = 20, 120


@dataclass(frozen=True, slots=True)
class Home:
    """A meter's daily use in Wh, from a Monday on."""

    serial: str
    kind: str
    seed: int
    used_wh: list[int]


def street_homes(meters: int, days: int) -> list[Home]:
    """The street of so many meters, by its own load curves: the same at every run."""
    street = build_street(Plan(meters=meters), ManualClock(BEGINS))
    first_s = int(BEGINS.timestamp())
    return [
        Home(
            meter.serial,
            meter.kind,
            meter.seed,
            [_day_wh(meter.kind, meter.seed, first_s + day * DAY_S) for day in range(days)],
        )
        for meter in street.meters.values()
    ]


def lively(home: Home) -> Home:
    """The same home with another weekend, journeys of a few days, and weather that drifts."""
    factor = _life(home)
    used = [wh * factor(day) // 10_000 for day, wh in enumerate(home.used_wh)]
    return Home(home.serial, home.kind, home.seed, used)


def _day_wh(kind: str, seed: int, begins_s: int) -> int:
    watts = sum(draw_w(kind, seed, begins_s + step) for step in range(0, DAY_S, STEP_S))
    return watts * STEP_S // 3600


def _life(home: Home) -> Callable[[int], int]:
    """What of a day's use is drawn, in hundredths of a percent."""
    away = {
        day + gone
        for day in range(len(home.used_wh))
        if _chance(home.seed, f"journey{day}", 1000) < JOURNEYS_PERMILLE
        for gone in range(2 + _chance(home.seed, f"length{day}", 8))
    }
    phase = _chance(home.seed, "weather", WEATHER_DAYS)

    def factor(day: int) -> int:
        weekend = WEEKEND_PERCENT[home.kind] if day % 7 >= 5 else 100
        turn = math.sin(2 * math.pi * (day + phase) / WEATHER_DAYS)
        weather = 100 + round(WEATHER_PERCENT * turn)
        return weekend * weather * (AWAY_PERCENT if day in away else 100) // 100

    return factor


def _chance(seed: int, what: str, below: int) -> int:
    return crc32(f"{seed}/{what}".encode()) % below
