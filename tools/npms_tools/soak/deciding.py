"""The operator's part: held readings are decided by a rule that asks the street for the truth."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from npms_shared.clock import wall_now
from npms_tools.soak.books import Books, Held
from npms_tools.soak.reckoning import Corrected, Witness
from npms_tools.soak.town import NotReachedError, Resident, Town

ROUNDS = 30
ENDS = ("before", "after")


async def decide(
    town: Town, books: Books, witness: Witness, residents: Sequence[Resident]
) -> dict[int, Corrected]:
    """Correct the first fall of each register to what the street counted; reject what else waits.

    Returns how the corrected meters are reckoned since, by installation. What was held after a fall
    is judged anew by the gateway, so the list is asked for again after each round.
    """
    by_id = {resident.installation_id: resident for resident in residents}
    corrected: dict[int, Corrected] = {}
    for _ in range(ROUNDS):
        waiting = [one for one in await books.held() if one.state == "held"]
        if not waiting:
            break
        first = {one.installation_id: one for one in reversed(waiting)}
        for one in first.values():
            resident = by_id[one.installation_id]
            is_fall = one.reason == "backwards" and one.installation_id not in corrected
            anew = await _correct(town, witness, resident, one) if is_fall else None
            if anew is None:
                await _reject(town, one)
            else:
                corrected[one.installation_id] = anew
    return corrected


async def _correct(town: Town, witness: Witness, resident: Resident, one: Held) -> Corrected | None:
    """None where the gateway refuses: what then lacks is found in the account."""
    seen = witness.matching(resident.serial, one.at_s, one.shown_wh)
    energy_wh = resident.energy_wh if seen is None else seen.energy_wh
    told = await town.call("GET", "meter-gateway", f"/v1/held-readings/{one.held_id}")
    register_wh = _between(told, resident.opened_wh + energy_wh - resident.energy_wh)
    body = {
        "register": {"value": str(Decimal(register_wh) / 1000), "unit": "kWh"},
        "counts_on": True,
        "reason": "the street's own count",
    }
    path = f"/v1/held-readings/{one.held_id}/correct"
    try:
        await town.call("POST", "meter-gateway", path, json=body)
    except NotReachedError:
        return None
    return Corrected(one.at_s, one.shown_wh, register_wh)


def _between(told: Mapping[str, Any], register_wh: int) -> int:
    """The register, no lower than the reading before it and no higher than the one after: a meter
    that rounds up showed a little more than it had counted."""
    bounds = [told[name] and int(Decimal(told[name]["register"]["value"]) * 1000) for name in ENDS]
    before_wh, after_wh = bounds
    register_wh = register_wh if before_wh is None else max(register_wh, before_wh)
    return register_wh if after_wh is None else min(register_wh, after_wh)


async def _reject(town: Town, one: Held) -> None:
    body = {"reason": f"the street's fault, seen at {wall_now():%H:%M}"}
    await town.call("POST", "meter-gateway", f"/v1/held-readings/{one.held_id}/reject", json=body)
