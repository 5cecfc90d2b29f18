"""Charges for demand of a URDB rate: by hours (`demandratestructure`) and by month
(`flatdemandstructure`), as charges for the highest power of a month."""

from collections.abc import Mapping
from typing import Any

from npms_tariff.importing.findings import CannotImport, Imported
from npms_tariff.importing.urdb_numbers import amount, price
from npms_tariff.importing.urdb_schedule import Demands, Schedule

WINDOWS = (15, 30, 60)
USUAL_WINDOW = 15


def demands_of(rate: Mapping[str, Any], made: Imported) -> Demands:
    """Prices per kW of all periods of demand, without those that cost nothing."""
    demands = Demands(
        by_hour=_prices(rate, "demandratestructure", _unit(rate, "demandrateunit"), made),
        by_month=_prices(rate, "flatdemandstructure", _unit(rate, "flatdemandunit"), made),
    )
    if demands.by_month:
        demands.months = _months(rate)
        _join_equal_months(demands)
    if demands.by_hour or demands.by_month:
        demands.window_minutes = _window(rate, made)
    return demands


def _unit(rate: Mapping[str, Any], name: str) -> str:
    return str(rate.get(name) or rate.get(f"{name}s") or rate.get("demandunits") or "kW")


def _prices(rate: Mapping[str, Any], name: str, unit: str, made: Imported) -> dict[int, str]:
    prices = {}
    for i, tiers in enumerate(rate.get(name) or []):
        at = f"/{name}/{i}"
        costs = [price(tier, f"{at}/{j}") for j, tier in enumerate(tiers)]
        if not any(costs):
            continue
        if unit.lower() != "kw":
            made.left_out(at, f"power is measured in kW, not {unit}")
        elif len(costs) > 1:
            made.left_out(at, "a charge for demand has one price, whatever the power")
        elif costs[0] < 0:
            made.left_out(at, "a price below nothing cannot be charged")
        else:
            prices[i] = amount(costs[0], at, made)
    return prices


def _months(rate: Mapping[str, Any]) -> list[int]:
    months, count = rate.get("flatdemandmonths") or [0] * 12, len(rate["flatdemandstructure"])
    if len(months) != 12 or not all(
        isinstance(period, int) and 0 <= period < count for period in months
    ):
        raise CannotImport("/flatdemandmonths", f"each of 12 months has a number below {count}")
    return list(months)


def _join_equal_months(demands: Demands) -> None:
    """A month has one of them, so those of one price are one; those of no month are none."""
    first: dict[str, int] = {}
    for number, cost in demands.by_month.items():
        if number in demands.months:
            first.setdefault(cost, number)
    same = {number: first.get(cost, number) for number, cost in demands.by_month.items()}
    demands.months = [same.get(number, number) for number in demands.months]
    demands.by_month = {number: cost for cost, number in first.items()}
    if len(set(demands.months)) == 1:
        demands.months = []


def _window(rate: Mapping[str, Any], made: Imported) -> int:
    stated = rate.get("demandwindow")
    if stated in WINDOWS:
        return int(stated)
    words = "not stated" if stated is None else f"{stated}, not one of 15, 30 and 60"
    made.differs("/demandwindow", f"minutes of a window are {words}: {USUAL_WINDOW} is taken")
    return USUAL_WINDOW


def add_demand(document: dict[str, Any], demands: Demands, schedule: Schedule) -> None:
    """Write the charges, each with the periods in which its hours lie."""
    charges = []
    for number, cost in demands.by_hour.items():
        named = [name for key, name in schedule.names.items() if key.by_hour == number]
        charges.append((f"demand-{number + 1}", cost, named))
    for number, cost in demands.by_month.items():
        named = [name for key, name in schedule.names.items() if key.by_month == number]
        single = len(demands.by_month) == 1
        name = "demand-flat" if single else f"demand-flat-{number + 1}"
        charges.append((name, cost, named if demands.months else list(schedule.names.values())))
    made = [
        {
            "name": name,
            "price": cost,
            "of": "highest",
            "window_minutes": demands.window_minutes,
            **({"periods": named} if len(named) < len(schedule.names) else {}),
        }
        for name, cost, named in charges
        if named
    ]
    if made:
        document["demand"] = made
