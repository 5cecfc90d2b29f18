"""Plan versions as they lie in the tariff service's database, read without its help."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from npms_operations.audit.rater.plan import Band, Block, Demand, Fixed, MonthDay, Share, Version

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "hol")
MICRO = 1_000_000
PPM = 1_000_000
UNITS = 1000
"""A price is for so many base units."""

Document = Mapping[str, Any]


def read_version(
    version_id: int,
    valid_from_s: int,
    document: Document,
    *,
    customer_class: str = "",
    connected_w: int = 0,
) -> Version:
    """Prices are decimal text, currency units a kWh or m³; shares are parts per million."""
    energy = document["energy"]
    rule = energy.get("blocks") or {}
    free = document.get("free_units")
    minimum = document.get("minimum")
    return Version(
        version_id=version_id,
        valid_from_s=valid_from_s,
        blocks={p["name"]: [_block(b) for b in p["blocks"]] for p in energy["periods"]},
        bands=tuple(_band(band) for band in energy.get("schedule") or ()),
        seasons={s["name"]: (_day(s["from"]), _day(s["to"])) for s in _list(document, "seasons")},
        holidays=frozenset(document.get("holidays") or ()),
        counts_periods=rule.get("count") == "period",
        resets_daily=rule.get("reset") == "day",
        size=rule.get("size", "fixed"),
        free_wh=_units(free["units"]) if free and _is_for(free, customer_class) else 0,
        fixed=tuple(_fixed(f) for f in _list(document, "fixed") if _accrues(f)),
        demand=tuple(_demand(d, connected_w) for d in _list(document, "demand")),
        before_minimum=tuple(_before_minimum(document, customer_class)),
        minimum_micro=_micro(minimum["amount"]) if minimum else 0,
        minimum_on=tuple(minimum["on"]) if minimum else (),
        taxes=tuple(_share("tax", tax) for tax in _list(document, "taxes")),
    )


def _list(document: Document, name: str) -> list[Any]:
    return document.get(name) or []


def _micro(amount: str) -> int:
    return int(Fraction(amount) * MICRO)


def _units(quantity: str) -> int:
    return int(Fraction(quantity) * UNITS)


def _price(price: str) -> Fraction:
    return Fraction(price) * MICRO / UNITS


def _block(block: Document) -> Block:
    upto = block.get("upto")
    return Block(None if upto is None else _units(upto), _price(block["price"]))


def _band(band: Document) -> Band:
    weekdays = frozenset(DAYS.index(day) for day in band["weekdays"])
    seasons = frozenset(band.get("seasons") or ())
    return Band(band["period"], weekdays, _minute(band["from"]), _minute(band["to"]), seasons)


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _day(day: str) -> MonthDay:
    month, _, number = day.partition("-")
    return int(month), int(number)


def _is_for(one: Document, customer_class: str) -> bool:
    return not one.get("classes") or customer_class in one["classes"]


def _accrues(fixed: Document) -> bool:
    return bool(fixed.get("collect") != "first_vend")


def _fixed(one: Document) -> Fixed:
    skips = one.get("off_supply") == "skip"
    return Fixed(one["name"], _micro(one["amount"]), one["per"] == "month", skips)


def _demand(one: Document, connected_w: int) -> Demand:
    if one["of"] == "connected":
        return Demand(one["name"], a_month_micro=connected_w * _micro(one["price"]) // UNITS)
    return Demand(
        one["name"],
        price=_price(one["price"]),
        window_minutes=one.get("window_minutes", 60),
        periods=frozenset(one.get("periods") or ()),
    )


def _before_minimum(document: Document, customer_class: str) -> Iterator[Share]:
    for levy in _list(document, "levies"):
        yield _share("levy", levy)
    for discount in _list(document, "discounts"):
        if _is_for(discount, customer_class):
            yield _share("discount", discount)


def _share(kind: str, one: Document) -> Share:
    per_unit = one.get("per_unit")
    return Share(
        label=f"{kind}:{one['name']}",
        name=one["name"],
        share=Fraction(one.get("rate_ppm", 0), PPM),
        on=tuple(one.get("on") or ()),
        per_unit=None if per_unit is None else _price(per_unit),
        off=kind == "discount",
    )
