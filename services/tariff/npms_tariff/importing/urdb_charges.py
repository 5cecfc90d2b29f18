"""Fixed charges and the minimum of a URDB rate."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from npms_tariff.importing.findings import Imported
from npms_tariff.importing.urdb_numbers import amount, number

Charge = tuple[str, Decimal, str]
"""(pointer, amount, unit)"""


def _charge(rate: Mapping[str, Any], name: str, units: str, old: str) -> Charge | None:
    """A charge in today's fields, or in those of before version 7, which are per month."""
    if rate.get(name):
        unit = str(rate.get(units) or "$/month").lower()
        return f"/{name}", number(rate[name], f"/{name}"), unit
    if rate.get(old):
        return f"/{old}", number(rate[old], f"/{old}"), "$/month"
    return None


def add_fixed(made: Imported, rate: Mapping[str, Any]) -> None:
    """`fixedchargefirstmeter` per month, day or year."""
    found = _charge(rate, "fixedchargefirstmeter", "fixedchargeunits", "fixedmonthlycharge")
    if found is None:
        return
    pointer, cost, unit = found
    if cost < 0:
        made.left_out(pointer, "an amount below nothing cannot be charged")
        return
    if unit == "$/year":
        made.differs(pointer, "a twelfth of a year's charge is taken for each month")
        cost, unit = cost / 12, "$/month"
    if unit not in {"$/month", "$/day"}:
        made.left_out(pointer, f"a charge in {unit} is not known")
        return
    fixed = {"name": "service", "amount": amount(cost, pointer, made), "per": unit[2:]}
    made.document["fixed"] = [fixed]


def add_minimum(made: Imported, rate: Mapping[str, Any]) -> None:
    """`mincharge` per month, for all that the plan charges before it."""
    found = _charge(rate, "mincharge", "minchargeunits", "minmonthlycharge")
    if found is None:
        return
    pointer, cost, unit = found
    if unit != "$/month" or cost < 0:
        made.left_out(pointer, f"a minimum in {unit} is none of a month")
        return
    charged = [*made.document.get("fixed", []), *made.document.get("demand", [])]
    on = ["energy", *(fixed["name"] for fixed in charged)]
    made.document["minimum"] = {"amount": amount(cost, pointer, made), "on": on}
