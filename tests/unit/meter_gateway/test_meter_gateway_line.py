"""Polling a line of simulated meters, without a database."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.lines import Deliveries, asking, listening, polling
from tests.support.wait import until

from npms_meter_gateway.domain.breaker import BreakerPolicy, GatewayBreaker
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import LinkFault, Refused
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.polling.line import Line
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.unit import Suspended, Unit
from npms_meter_gateway.profiles import load_profiles
from npms_shared.clock import ManualClock
from npms_tools.street.meter import Faults
from npms_tools.street.street import Plan, Street, build_street

CLOCK = ManualClock(datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
MANY = 10**6


def hurried(profile: Profile) -> Profile:
    return replace(profile, limits=replace(profile.limits, timeout_ms=100))


PROFILES = {code: hurried(profile) for code, profile in load_profiles().items()}


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    street = build_street(Plan(meters=8, gateways=1, port_base=0), CLOCK)
    await street.start()
    yield street
    await street.stop()


@asynccontextmanager
async def line_of(
    street: Street, deliveries: Deliveries, *, policy: BreakerPolicy
) -> AsyncIterator[Line]:
    meters = list(street.meters.values())
    bus = modbus_bus(Gateway(meters[0].host, meters[0].port))
    line = Line(bus, CLOCK, Cadence(0.02), deliveries.hooks(), GatewayBreaker(policy))
    for number, meter in enumerate(meters):
        unit = _unit(bus, meter.unit_id, PROFILES[meter.map.profile], policy, line.breaker)
        line.add(Meter(number, number, meter.serial, unit))
    async with polling(line):
        yield line


async def test_one_dead_unit_costs_two_time_outs_and_then_nothing(street: Street) -> None:
    dead, deliveries = list(street.meters.values())[3], Deliveries()
    dead.faults = Faults(silent=MANY)
    async with line_of(street, deliveries, policy=BreakerPolicy(first_pause_s=60)):

        async def others_were_read_often() -> bool:
            return all(deliveries.polls[n] >= 40 for n in range(8) if n != 3)

        await until(others_were_read_often)
    assert MANY - dead.faults.silent == 2
    assert deliveries.polls[3] == 0
    assert deliveries.links == [(3, False)]


async def test_a_dead_unit_is_probed_once_a_pause_and_comes_back(street: Street) -> None:
    dead, deliveries = list(street.meters.values())[3], Deliveries()
    dead.faults = Faults(silent=4)
    policy = BreakerPolicy(first_pause_s=0.05, longest_pause_s=0.2)
    async with line_of(street, deliveries, policy=policy):

        async def back() -> bool:
            return deliveries.polls[3] >= 3

        await until(back)
    assert [link for link in deliveries.links if link[0] == 3] == [(3, False), (3, True)]


async def test_a_unit_the_gateway_does_not_know_does_not_stop_the_others(street: Street) -> None:
    deliveries = Deliveries()
    async with line_of(street, deliveries, policy=BreakerPolicy(first_pause_s=60)) as line:
        policy = BreakerPolicy(first_pause_s=60)
        unit = _unit(line.bus, 99, PROFILES["eastron_sdm120"], policy, line.breaker)
        line.add(Meter(99, 99, "nobody", unit))

        async def noticed() -> bool:
            return (99, False) in deliveries.links

        await until(noticed)
        assert not line.bus.is_down
        with pytest.raises(Suspended):
            await unit.poll()


async def test_what_a_meter_refuses_together_is_read_apart_and_remembered(street: Street) -> None:
    """The read of 0x0A to 0x1A is split when a meter serves no relay there."""
    meter = next(m for m in street.meters.values() if m.map.relay is None)
    hiking = PROFILES["hiking_dds238_2_znsr"]
    assert hiking.relay is not None
    assert hiking.relay.read_back is not None
    back = replace(hiking.relay.read_back, address=0x20)
    beyond = replace(hiking.relay, address=0x20, read_back=back)
    pretended = replace(hiking, relay=beyond, limits=replace(hiking.limits, max_hole=30))
    meter.map = replace(build_street(Plan(meters=1), CLOCK).meters["SIM00001"].map, relay=None)
    bus = modbus_bus(Gateway(meter.host, meter.port))
    unit = _unit(bus, meter.unit_id, pretended, BreakerPolicy())
    polled = await unit.poll()
    assert unit.driver.refused == ["relay"]
    assert polled.register_wh is not None
    assert polled.relay is None
    assert (await unit.poll()).power_w == polled.power_w
    assert unit.driver.refused == ["relay"]
    await bus.close()


async def test_late_answers_never_become_another_registers_value() -> None:
    """Two blocks, one answer in fifty later than the time-out: no value is ever mixed up."""
    chance = random.Random(7)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(struct.unpack(">HHHB", head)[2] - 1)
                if chance.random() < 0.02:
                    await asyncio.sleep(chance.uniform(0.03, 0.06))
                body = bytes([3, 4]) + pdu[1:3] * 2
                writer.write(head[:4] + struct.pack(">HB", len(body) + 1, head[6]) + body)
        writer.close()

    good = late = 0
    async with listening(serve) as port, asking(Gateway("127.0.0.1", port)) as bus:
        for turn in range(1500):
            address = 100 + turn % 2
            try:
                answer = await bus.ask(
                    1, Read("holding", address, 2), timeout_s=0.02, priority=Priority.BILLING
                )
            except Refused:
                raise
            except LinkFault:
                late += 1
            else:
                good += 1
                assert answer == (address, address)
    assert late > 5
    assert good > 1300


def _unit(
    bus: Bus,
    unit_id: int,
    profile: Profile,
    policy: BreakerPolicy,
    gateway: GatewayBreaker | None = None,
) -> Unit:
    return Unit(ModbusDriver(bus, unit_id, profile), profile, policy, gateway=gateway)
