"""Plan versions as they lie in the tariff service's database, read without its help."""

from fractions import Fraction
from typing import Any

from npms_tools.audit.rater.plan import Band, Tax, Version

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MICRO = 1_000_000
WH_A_KWH = 1000


def read_version(version_id: int, valid_from_s: int, document: dict[str, Any]) -> Version:
    """Prices are decimal text, currency units a kWh; taxes are parts per million."""
    energy = document["energy"]
    daily = document.get("daily") or {"amount": "0"}
    return Version(
        version_id=version_id,
        valid_from_s=valid_from_s,
        prices={
            period["name"]: [Fraction(price) * MICRO / WH_A_KWH for price in period["prices"]]
            for period in energy["periods"]
        },
        bands=tuple(_band(band) for band in energy.get("schedule") or ()),
        block_edges_wh=tuple(energy.get("block_edges_wh") or ()),
        blocks_per_period=energy.get("block_scope") == "per_period",
        daily_micro=int(Fraction(daily["amount"]) * MICRO),
        taxes=tuple(_tax(tax) for tax in document.get("taxes") or ()),
    )


def _band(band: dict[str, Any]) -> Band:
    weekdays = frozenset(DAYS.index(day) for day in band["weekdays"])
    return Band(band["period"], weekdays, _minute(band["from"]), _minute(band["to"]))


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _tax(tax: dict[str, Any]) -> Tax:
    share = Fraction(tax["rate_ppm"], 1_000_000)
    return Tax(share, on_energy="energy" in tax["on"], on_daily="daily" in tax["on"])
