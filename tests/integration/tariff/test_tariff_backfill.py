"""R11, from the meter to the charge: an outage that freezes fill costs what no outage would."""

from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, operating, operation
from tests.support.keeping_meter import KeepingMeter
from tests.support.tariff import (
    OPENED_AT,
    TariffHarness,
    charge_silence,
)
from tests.support.wait import until

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_meter_gateway.handlers.record_readings import Readings
from npms_shared.clock import ManualClock
from npms_shared.contracts.ledger import InstallationOpened
from npms_shared.contracts.meter_gateway import ReadingsBatch

pytestmark = pytest.mark.usefixtures("plans")
MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
NAIROBI = ZoneInfo("Africa/Nairobi")
REGISTER_WH = 1_000_000
USE_DAYS, OUTAGE_DAYS = 10, 60
FROZEN, READ = 1, 2
"""The installation that has an outage, and the one beside it that has none."""
PLANS = ["household-flat", "household-tou", "household-blocks"]


def used_wh(day: int) -> int:
    return 10 * (300 + 37 * day % 211)


class Street:
    """Two homes that use the same: one meter on a socket, one whose readings are handed in."""

    def __init__(self, world: World, meter: KeepingMeter, harness: TariffHarness) -> None:
        self.world, self.meter, self.harness = world, meter, harness
        self.told = 0

    async def open(self, plan_code: str) -> None:
        for number in (FROZEN, READ):
            changes = {"meter": self.meter.connection()} if number == FROZEN else {}
            event = self._opened(number, plan_code, changes)
            await self.world.tell(event)
            await self.harness.hear(event)

    def _opened(
        self, number: int, plan_code: str, changes: dict[str, object]
    ) -> InstallationOpened:
        given = {
            "installation_id": number,
            "account_id": number + 100,
            "customer_id": number,
            "usage_point_id": number,
            "commodity": "electricity",
            "meter": {
                "serial": f"S{number}", "profile": "acrel_dtsd1352", "host": "", "port": 0,
                "unit_id": 1,
            },
            "opening_register_wh": REGISTER_WH,
            "max_power_w": 10_000,
            "plan_code": plan_code,
            "currency": "KES",
            "time_zone": "Africa/Nairobi",
            "opened_at": OPENED_AT,
        }  # fmt: skip
        return InstallationOpened.model_validate(given | changes)

    async def pass_midnight(self, day: int, *, reads: set[int]) -> None:
        """The day's use is counted and frozen, and read of these installations."""
        local = self.world.clock.at.astimezone(NAIROBI)
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0)
        self.world.clock.at = midnight.astimezone(UTC)
        self.meter.register_wh += used_wh(day)
        self.meter.freezes.insert(0, (midnight.replace(tzinfo=None), self.meter.register_wh))
        await self.hand_in(reads)

    async def hand_in(self, installations: set[int]) -> None:
        ids, at_s = sorted(installations), int(self.world.clock.at.timestamp())
        registers = [self.meter.register_wh] * len(ids)
        recorder = self.world.recorder()
        await recorder.record_readings(Readings(ids, [at_s] * len(ids), registers), source="rest")

    async def poll(self, register_wh: int) -> None:
        """The gateway works until it has read this register of the meter."""

        async def has_read() -> bool:
            return (await self.world.registers(FROZEN))[-1:] == [register_wh]

        clocks = ClockPolicy(NAIROBI)
        async with operating(operation(self.world, interval_s=0.05, slow_s=0.05, clocks=clocks)):
            await until(has_read)

    async def rate(self) -> None:
        """The tariff hears what the gateway said since."""
        rows = await self.world.rows(
            "SELECT id, convert_from(body, 'UTF8') AS body FROM outbox "
            "WHERE exchange = 'npms.readings' AND id > :told ORDER BY id",
            told=self.told,
        )
        self.harness.clock.at = self.world.clock.at
        for row in rows:
            self.told = row["id"]
            await self.harness.read(ReadingsBatch.model_validate_json(row["body"]))

    async def estimate(self) -> None:
        self.harness.clock.at = self.world.clock.at
        await charge_silence(self.harness.context)


@pytest.mark.parametrize("plan_code", PLANS)
async def test_r11_an_outage_filled_from_freezes_ends_as_if_there_had_been_none(
    harness: TariffHarness, database_for: MakeDatabase, plan_code: str
) -> None:
    world = World(await database_for("meter-gateway"), ManualClock(OPENED_AT))
    meter = KeepingMeter(world.clock, register_wh=REGISTER_WH, ahead=timedelta(hours=3))
    async with meter.served():
        street = Street(world, meter, harness)
        await street.open(plan_code)
        for day in range(USE_DAYS):
            await street.pass_midnight(day, reads={FROZEN, READ})
        await street.rate()
        assert await harness.charged_micro(FROZEN) == await harness.charged_micro(READ)
        for day in range(USE_DAYS, USE_DAYS + OUTAGE_DAYS):
            await street.pass_midnight(day, reads={READ})
        await street.rate()
        await street.estimate()
        estimates = [e for e in await harness.adjustments() if e.installation_id == FROZEN]
        assert len(estimates) >= OUTAGE_DAYS - 1, "the customer was charged by estimate meanwhile"
        world.clock.at += timedelta(hours=10)
        meter.register_wh += 4_000
        await street.hand_in({READ})
        await street.poll(meter.register_wh)
        harness.partitions.forget(3)
        await street.rate()
    rows = await world.rows(
        "SELECT installation_id, taken_at, register_wh FROM reading ORDER BY taken_at"
    )
    by_meter = {
        number: [(r["taken_at"], r["register_wh"]) for r in rows if r["installation_id"] == number]
        for number in (FROZEN, READ)
    }
    assert by_meter[FROZEN] == by_meter[READ], "the same registers at the same moments"
    assert sum(e.amount_micro for e in await harness.adjustments()) == 0, "estimates are taken back"
    assert await harness.charged_micro(FROZEN) == await harness.charged_micro(READ)
    await harness.assert_rules_hold()
