"""The price of energy of a URDB rate: `energyratestructure` as periods with blocks."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from npms_tariff.importing.findings import CannotImport, Imported
from npms_tariff.importing.urdb_numbers import MILLI, amount, number, price
from npms_tariff.importing.urdb_schedule import Schedule

STRUCTURE = "/energyratestructure"
OPEN_FROM = Decimal(10) ** 12
"""Bounds of a million GWh and more are URDB's way to say that there is none."""
UNITS = {"kwh": "fixed", "kwh daily": "per_day"}
Blocks = list[dict[str, str]]


class Tariffs(list[Blocks]):
    """Blocks by number of the period in URDB, and how their bounds are meant."""

    size = "fixed"


def tariffs_of(rate: Mapping[str, Any], made: Imported) -> Tariffs:
    """The periods' blocks, with findings of what tiers cannot say here. Raises CannotImport."""
    structure = rate.get("energyratestructure")
    if not isinstance(structure, list) or not structure or not all(structure):
        raise CannotImport(STRUCTURE, "a rate without a price of energy is no plan")
    size = _size(structure, made)
    tariffs = Tariffs()
    for i, tiers in enumerate(structure):
        kept = tiers if size else [{**tiers[0], "max": None}]
        tariffs.append(_blocks(kept, f"{STRUCTURE}/{i}", made))
    tariffs.size = size or "fixed"
    _tell_of_sales(structure, made)
    return tariffs


def _size(structure: Sequence[Sequence[Mapping[str, Any]]], made: Imported) -> str | None:
    """How all bounds are meant; None where no blocks can say it."""
    units = {
        str(tier.get("unit") or "kWh").lower()
        for tiers in structure
        for tier in tiers[:-1]
        if len(tiers) > 1
    }
    strange = sorted(units - set(UNITS))
    if strange:
        names = " and ".join(strange)
        made.left_out(STRUCTURE, f"tiers by {names}: every first tier's price is taken for all")
        return None
    if len(units) > 1:
        made.left_out(STRUCTURE, "tiers by month and by day in one rate: first prices are taken")
        return None
    return UNITS[units.pop()] if units else "fixed"


def _blocks(tiers: Sequence[Mapping[str, Any]], at: str, made: Imported) -> Blocks:
    blocks: Blocks = []
    reached = Decimal(0)
    for i, tier in enumerate(tiers):
        pointer = f"{at}/{i}"
        cost = price(tier, pointer)
        if cost < 0:
            raise CannotImport(pointer, "a price below nothing cannot be charged")
        block = {"price": amount(cost, pointer, made)}
        if i < len(tiers) - 1:
            bound = number(tier.get("max"), f"{pointer}/max").quantize(MILLI, ROUND_HALF_UP)
            if bound <= reached:
                raise CannotImport(f"{pointer}/max", "a tier ends above the one before it")
            reached, block = bound, {"upto": f"{bound.normalize():f}", **block}
        elif number(tier.get("max") or OPEN_FROM, f"{pointer}/max") < OPEN_FROM:
            made.differs(f"{pointer}/max", "the last tier has no end here")
        blocks.append(block)
    return blocks


def _tell_of_sales(structure: Sequence[Sequence[Mapping[str, Any]]], made: Imported) -> None:
    for i, tiers in enumerate(structure):
        for j, tier in enumerate(tiers):
            if tier.get("sell"):
                pointer = f"{STRUCTURE}/{i}/{j}/sell"
                made.left_out(pointer, "what a customer feeds in is not paid for")


def energy_part(tariffs: Tariffs, schedule: Schedule, made: Imported) -> dict[str, Any]:
    """Seasons and energy of the plan document."""
    energy: dict[str, Any] = {
        "periods": [
            {"name": name, "blocks": tariffs[key.energy]} for key, name in schedule.names.items()
        ]
    }
    if schedule.bands:
        energy["schedule"] = schedule.bands
    tiered = any(len(blocks) > 1 for blocks in tariffs)
    if tiered:
        energy["blocks"] = {"count": "all", "reset": "month", "size": tariffs.size}
    if tiered and len({key.energy for key in schedule.names}) > 1:
        reason = "tiers count energy in the order of its use, whatever the period"
        made.differs(STRUCTURE, reason)
    return {**({"seasons": schedule.seasons} if schedule.seasons else {}), "energy": energy}
