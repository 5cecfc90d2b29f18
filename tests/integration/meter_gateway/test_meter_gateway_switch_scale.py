"""Many supplies at once: outages, mass reconnection, restarts with everything pending."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    PROFILES,
    World,
    operating,
    operation,
)
from tests.support.relay_meter import RelayMeter, socket_of
from tests.support.switch_world import PATIENT, rig
from tests.support.wait import until

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.profile import SERIAL
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.domain.supplies import DueSupply
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.handlers.switch_supply import Wanted, list_due
from npms_meter_gateway.polling.switching import SupplySwitcher
from npms_meter_gateway.polling.unit import Unit
from npms_shared.contracts.ledger import SupplyDesired

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
PENDING = 10_000
WATCHED = PENDING if os.environ.get("NPMS_TEST_PROFILE") == "deep" else 1_500
"""How many of them are worked off under our eyes."""


async def _settled(world: World, count: int) -> bool:
    rows = await world.rows("SELECT count(*) AS n FROM supply WHERE settled")
    return int(rows[0]["n"]) >= count


async def _all_settled(world: World) -> bool:
    return not await world.rows("SELECT 1 FROM supply WHERE NOT settled LIMIT 1")


async def test_d7_while_the_gateway_is_down_commands_are_suspended_not_failed(
    world: World,
) -> None:
    meters = {unit: RelayMeter("plain") for unit in range(1, 31)}
    async with rig(world, meters) as line:
        port = line.port
    async with operating(operation(world)):
        for number in meters:
            await world.desire(number, "off")

        async def all_suspended() -> bool:
            waiting = await world.rows("SELECT 1 FROM supply WHERE awaits = 'link'")
            return len(waiting) == len(meters)

        await until(all_suspended, within_s=60)
        obsolete = [number for number in meters if number % 2]
        for number in obsolete:
            await world.desire(number, "on")
        rows = await world.rows("SELECT attempts, alarmed FROM supply")
        assert {(r["attempts"], r["alarmed"]) for r in rows} == {(0, False)}
        assert await world.rows("SELECT 1 FROM supply_command") == []
        async with socket_of(meters, port):
            await until(lambda: _all_settled(world), within_s=60)
    for number, meter in meters.items():
        assert meter.pulses == ([] if number in obsolete else ["off"])
        kinds = set(await world.events(number))
        assert not kinds & {"relay_stuck", "relay_welded", "relay_moved"}
        assert (await line.told(number))[-1][1:] == (True, "")
    told_down = [t for n in meters for t in await line.told(n) if t == ("unknown", False, "link")]
    assert len(meters) <= len(told_down) <= len(meters) + len(obsolete), "once a revision"


async def test_l10_after_an_outage_supplies_return_at_a_bounded_rate(world: World) -> None:
    meters = {unit: RelayMeter("plain", shows_on=False) for unit in range(1, 25)}
    per_place = 120.0
    async with rig(world, meters) as line:
        for number in meters:
            await world.desire(number, "on")
        units = {number: line.unit(number, "plain") for number in meters}
        pace = Pace(per_place, in_all=1200)
        switcher = SupplySwitcher(world.context(), units.get, concurrency=16, pace=pace)
        started = time.monotonic()
        task = asyncio.create_task(switcher.run())
        await until(lambda: _all_settled(world), within_s=60)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    at = sorted(when - started for meter in meters.values() for when in meter.pulsed_at)
    assert len(at) == len(meters)
    for count, when in enumerate(at, 1):
        assert count <= per_place / 12 + per_place / 60 * when + 1
    assert at[-1] >= (len(meters) - per_place / 12 - 1) * 60 / per_place


async def test_l10_who_paid_returns_first_and_of_those_who_waited_longest(world: World) -> None:
    reasons = {1: "protected", 2: "in_credit", 3: "in_credit", 4: "kept_on"}
    async with rig(world, {unit: RelayMeter("plain") for unit in reasons}):
        for number, reason in reasons.items():
            await world.tell(
                SupplyDesired(
                    installation_id=number,
                    account_id=number * 10,
                    state="on",
                    revision=2,
                    reason=reason,
                    decided_at=world.clock.now(),
                )
            )
    async with world.database.transaction() as conn:
        for number, hours in ((1, 9), (2, 1), (3, 5), (4, 2)):
            await conn.execute(
                text(
                    "UPDATE supply SET reported_state = 'off', reported_revision = 1, "
                    "reported_at = now() - make_interval(hours => :hours) "
                    "WHERE installation_id = :number"
                ),
                {"number": number, "hours": hours},
            )

    async def due(**wanted: Any) -> list[DueSupply]:
        return list(await world.do(list_due, Wanted("on", limit=10, **wanted)))

    assert [s.installation_id for s in await due()] == [3, 2, 1, 4]
    assert [s.installation_id for s in await due(busy=[3])] == [2, 1, 4]
    place = (await due())[0].place
    assert await due(full=[place]) == []


async def test_l1_an_open_command_is_on_the_wire_within_five_seconds(world: World) -> None:
    """From the desired state committed to the write that reached the meter, while reconnections
    wait behind the same gateway.
    """
    meters = {unit: RelayMeter("plain", shows_on=unit > 40) for unit in range(1, 61)}
    took: list[float] = []
    async with rig(world, meters), operating(operation(world, units=PATIENT)):
        for number in range(1, 41):
            await world.desire(number, "on")
        for number in range(41, 61):
            await world.desire(number, "off")
            asked = time.monotonic()

            async def cut(meter: RelayMeter = meters[number]) -> bool:
                return bool(meter.pulsed_at)

            await until(cut, every_s=0.01)
            took.append(meters[number].pulsed_at[0] - asked)
        await until(lambda: _all_settled(world))
    print(f"desired to wire: longest {max(took):.3f} s, median {sorted(took)[10]:.3f} s")
    assert max(took) < 5


class CountingDriver:
    """A meter in memory that keeps the order of what it was asked."""

    def __init__(self, *, on: bool) -> None:
        self.on, self.asked, self.refused = on, "", list[str]()

    async def read(self, names: Collection[str], priority: Priority) -> MeterAnswer:  # noqa: ARG002
        self.asked += "s" if SERIAL in names else "r"
        await asyncio.sleep(0)
        return MeterAnswer(relay="on" if self.on else "off")

    async def switch(self, state: State) -> None:
        self.asked += "w"
        self.on = state == "on"

    async def limit(self, limit_w: int | None) -> None:
        raise AssertionError(limit_w)


@pytest.mark.timeout(900)
async def test_l9_d8_after_a_restart_with_10000_pending_each_meter_is_read_first(
    world: World,
) -> None:
    """All but one in a hundred was done before the restart, by commands whose end nobody saw."""
    await _make_pending(world)
    drivers = {n: CountingDriver(on=n % 100 == 0) for n in range(1, PENDING + 1)}
    profile = PROFILES["test_plain"]
    units = {n: Unit(driver, profile, PATIENT) for n, driver in drivers.items()}
    began = time.monotonic()
    task = asyncio.create_task(SupplySwitcher(world.context(), units.get, concurrency=16).run())
    await until(lambda: _settled(world, WATCHED), within_s=600, every_s=0.5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    print(f"{WATCHED} of {PENDING} worked off in {time.monotonic() - began:.0f} s")
    asked = {n: driver.asked for n, driver in drivers.items() if driver.asked}
    assert {said for n, said in asked.items() if n % 100} == {"r"}
    assert {said for n, said in asked.items() if n % 100 == 0} == {"rsswr"}
    lives = await world.rows("SELECT life, count(*) AS n FROM supply_command GROUP BY 1")
    known = {row["life"]: row["n"] for row in lives}
    assert known["confirmed"] == len(asked)
    assert known["in_vain"] == sum(n % 100 == 0 for n in asked)
    assert known.get("sent", 0) == PENDING - len(asked)


async def _make_pending(world: World) -> None:
    """Everything should be off; a command was on its way to each when the process ended."""
    statements = (
        "INSERT INTO gateway (host, port) VALUES ('127.0.0.1', 1)",
        """
        INSERT INTO installation (installation_id, account_id, partition, serial, profile, host,
                                  port, unit_id, max_power_w, opening_register_wh, opened_at)
        SELECT n, n, 0, 'S' || n, 'test_plain', '127.0.0.1', n % 60000 + 1, n % 200, 10000, 0, now()
        FROM generate_series(1, :n) n
        """,
        """
        INSERT INTO gateway (host, port)
        SELECT '127.0.0.1', n % 60000 + 1 FROM generate_series(1, :n) n
        ON CONFLICT (host, port) DO NOTHING
        """,
        """
        INSERT INTO supply (installation_id, account_id, desired_state, desired_revision,
                            desired_reason, decided_at, next_try_at)
        SELECT n, n, 'off', 2, 'exhausted', now(), now() FROM generate_series(1, :n) n
        """,
        """
        INSERT INTO supply_command (command_id, installation_id, revision, reason, what, state,
                                    created_at, before)
        SELECT gen_random_uuid(), n, 2, 'exhausted', 'relay', 'off', now(), '{}'
        FROM generate_series(1, :n) n
        """,
    )
    async with world.database.transaction() as conn:
        for statement in statements:
            await conn.execute(text(statement), {"n": PENDING} if ":n" in statement else {})
