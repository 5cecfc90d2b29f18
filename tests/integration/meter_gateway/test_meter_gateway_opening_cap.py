"""Whatever it is told, the gateway opens so many supplies within a window and no more."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World
from tests.support.relay_meter import RelayMeter
from tests.support.switch_world import Rig, rig

from npms_meter_gateway.domain.reconciling import OpeningCap

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
RESUME = "/v1/supply-openings/resume"
REASON = {"reason": "Approved disconnections, list 12."}


def cut(meters: dict[int, RelayMeter]) -> int:
    return sum(not meter.closed for meter in meters.values())


async def attempt_all(line: Rig, idiom: str = "plain") -> list[str]:
    """As several processes would, at the same time."""
    numbers = [row["installation_id"] for row in await line.world.rows("SELECT * FROM supply")]
    return await asyncio.gather(*(line.attempt(idiom, number) for number in numbers))


async def test_a_mass_cut_stops_at_the_gateways_own_cap_until_an_operator_lets_it_go_on(
    world: World, http: httpx.AsyncClient
) -> None:
    meters = {unit: RelayMeter("plain") for unit in range(1, 9)}
    async with rig(world, meters) as one:
        line = one.with_policy(cap=OpeningCap(3, 3600))
        assert (await http.post(RESUME, json=REASON)).json()["code"] == "openings_not_stopped"
        for number in meters:
            await world.desire(number, "off")
        outcomes = await attempt_all(line)
        assert sorted(outcomes) == ["stopped"] * 5 + ["switched"] * 3
        assert set(await attempt_all(line)) == {"stopped", "settled"}
        assert cut(meters) == 3
        (alarm,) = await world.rows("SELECT kind, detail FROM alarm WHERE cleared_at IS NULL")
        assert alarm["kind"] == "mass_open_stopped"
        assert alarm["detail"] == "3 supplies were opened within 3600 s; none is any more"
        stopped = [n for n in meters if ("unknown", "stopped") in await line.blocked(n)]
        assert len(stopped) == 5, "the ledger is told of each"
        back = next(number for number in meters if number not in stopped)
        await world.desire(back, "on")
        assert await line.attempt("plain", back) == "switched", "closing is never held back"
        shown = (await http.get("/v1/supply-openings")).json()
        assert (shown["opened"], shown["stopped_at"] is not None) == (3, True)
        assert (await http.post(RESUME, json=REASON)).status_code == 200
        assert sorted(await attempt_all(line))[-3:] == ["switched"] * 3, "counted afresh"
        assert cut(meters) == 2 + 3
    (entry,) = await world.rows("SELECT * FROM audit_trail")
    assert (entry["action"], entry["by_subject"]) == ("supply_openings_resumed", "amina")
    assert entry["reason"] == REASON["reason"]


async def test_a_supply_counts_once_and_the_window_moves_on(world: World) -> None:
    meters = {1: RelayMeter("timed"), 2: RelayMeter("timed")}
    async with rig(world, meters) as one:
        line = one.with_policy(cap=OpeningCap(1, 3600))
        meters[1].stuck = 2
        await world.desire(1, "off")
        assert await line.attempt("timed", 1) == "in_vain"
        assert await line.attempt("timed", 1) == "in_vain"
        assert await line.attempt("timed", 1) == "switched", "tried again, it is the same supply"
        async with world.database.transaction() as conn:
            await conn.exec_driver_sql("UPDATE supply SET renew_at = now() - interval '1 s'")
        meters[1].advance(310)
        await world.desire(2, "off")
        assert await line.attempt("timed", 2) == "stopped"
        assert await line.attempt("timed", 1) == "switched", "what is open is kept open"
        async with world.database.transaction() as conn:
            await conn.exec_driver_sql(
                "UPDATE supply_opening SET opened_at = opened_at - interval '2 hours'"
            )
        assert await line.attempt("timed", 2) == "stopped", "only a person lets it go on"
    assert not meters[1].closed
    assert meters[2].pulses == []
