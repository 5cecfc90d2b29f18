"""Rates as OpenEI's database has them, made up for the comparison, and the same for SAM."""

from typing import Any

Rate = dict[str, Any]

OPEN = 1e38
IN_ORDER_OF_USE = 2
"""SAM's metering options 2, 3 and 4 count energy into tiers as it is used; 0 and 1 share out a
month's tiers between the periods by their energy.
"""
UNITS = {"kWh": 0, "kWh daily": 2}
SUMMER = range(5, 9)


def grid(*, outside: int, inside: int, hours: range, months: range, other: int | None = None):
    """12 rows of 24: `inside` in some hours of some months; `other` in those of other months."""
    other = outside if other is None else other
    return [
        [(inside if month in months else other) if hour in hours else outside for hour in range(24)]
        for month in range(12)
    ]


ALWAYS_FIRST = grid(outside=0, inside=0, hours=range(0), months=range(0))

TIME_OF_USE: Rate = {
    "name": "residential, by season, weekday and hour",
    "energyratestructure": [
        [{"rate": 0.09371}],
        [{"rate": 0.11, "adj": 0.0213}],
        [{"rate": 0.31277}],
    ],
    "energyweekdayschedule": grid(outside=0, inside=2, hours=range(14, 20), months=SUMMER, other=1),
    "energyweekendschedule": ALWAYS_FIRST,
    "fixedchargefirstmeter": 11.35,
    "fixedchargeunits": "$/month",
}  # fmt: skip
TIERED: Rate = {
    "name": "tiers a month",
    "energyratestructure": [
        [
            {"max": 300, "rate": 0.08123, "unit": "kWh"},
            {"max": 650, "rate": 0.13377, "unit": "kWh"},
            {"rate": 0.21119, "unit": "kWh"},
        ]
    ],
    "fixedmonthlycharge": 7.77,
}
SEASONAL_TIERS: Rate = {
    "name": "tiers a month, other prices in summer",
    "energyratestructure": [
        [{"max": 400, "rate": 0.09}, {"rate": 0.12}],
        [{"max": 500, "rate": 0.11}, {"rate": 0.25}],
    ],
    "energyweekdayschedule": grid(outside=0, inside=1, hours=range(24), months=SUMMER, other=0),
    "energyweekendschedule": grid(outside=0, inside=1, hours=range(24), months=SUMMER, other=0),
}
TIERS_BY_DAY: Rate = {
    "name": "tiers per day of the month",
    "energyratestructure": [
        [{"max": 12.5, "rate": 0.2, "unit": "kWh daily"}, {"rate": 0.33, "unit": "kWh daily"}]
    ],
}
MINIMUM: Rate = {**TIERED, "name": "tiers with a minimum", "mincharge": 75}
DEMAND: Rate = {
    "name": "commercial, demand by hour and flat demand by month",
    "energyratestructure": [[{"rate": 0.041}], [{"rate": 0.067}]],
    "energyweekdayschedule": grid(outside=0, inside=1, hours=range(8, 22), months=range(12)),
    "energyweekendschedule": ALWAYS_FIRST,
    "demandratestructure": [[{"rate": 0}], [{"rate": 9.83}], [{"rate": 4.41, "adj": 0.2}]],
    "demandweekdayschedule": grid(outside=0, inside=1, hours=range(12, 18), months=SUMMER, other=2),
    "demandweekendschedule": ALWAYS_FIRST,
    "flatdemandstructure": [[{"rate": 3.07}], [{"rate": 5.5}]],
    "flatdemandmonths": [0] * 5 + [1] * 4 + [0] * 3,
    "demandwindow": 60,
    "fixedchargefirstmeter": 40,
    "fixedchargeunits": "$/month",
}
TIERS_BY_HOUR: Rate = {
    **TIME_OF_USE,
    "name": "tiers in every period",
    "energyratestructure": [
        [{"max": 300, "rate": 0.08}, {"rate": 0.12}],
        [{"max": 300, "rate": 0.1}, {"rate": 0.15}],
        [{"max": 300, "rate": 0.2}, {"rate": 0.4}],
    ],
}


def for_sam(rate: Rate, load_kw: list[float]) -> dict[str, Any]:
    """The rate as tools/pysam/sam_bills.py takes it."""
    return {
        "load_kw": load_kw,
        "metering": IN_ORDER_OF_USE,
        "energy": [
            [i + 1, j + 1, tier.get("max", OPEN), UNITS[tier.get("unit", "kWh")], price(tier), 0.0]
            for i, tiers in enumerate(rate["energyratestructure"])
            for j, tier in enumerate(tiers)
        ],
        "weekday": counted_from_one(rate.get("energyweekdayschedule")),
        "weekend": counted_from_one(rate.get("energyweekendschedule")),
        "fixed": rate.get("fixedchargefirstmeter") or rate.get("fixedmonthlycharge") or 0.0,
        "minimum": rate.get("mincharge", 0.0),
        "demand": demand_for_sam(rate),
    }


def demand_for_sam(rate: Rate) -> dict[str, Any] | None:
    if "demandratestructure" not in rate:
        return None
    flat = rate["flatdemandstructure"]
    return {
        "rows": [
            [i + 1, 1, OPEN, price(tiers[0])] for i, tiers in enumerate(rate["demandratestructure"])
        ],
        "weekday": counted_from_one(rate["demandweekdayschedule"]),
        "weekend": counted_from_one(rate["demandweekendschedule"]),
        "flat": [
            [month, 1, OPEN, price(flat[number][0])]
            for month, number in enumerate(rate["flatdemandmonths"])
        ],
    }


def price(tier: dict[str, Any]) -> float:
    return float(tier["rate"] + tier.get("adj", 0))


def counted_from_one(schedule: list[list[int]] | None) -> list[list[int]] | None:
    return schedule and [[period + 1 for period in row] for row in schedule]
