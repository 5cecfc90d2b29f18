"""Dead units, dumb gateways and the return of many, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from tests.support.lines import Deliveries, polling
from tests.support.recording_gateway import PROFILE, RecordingGateway
from tests.support.wait import until

from npms_meter_gateway.domain.breaker import BreakerPolicy, GatewayBreaker
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.meters import PolledInstallation
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.line.bus import LineOptions
from npms_meter_gateway.drivers.line.errors import Refused
from npms_meter_gateway.drivers.line.permit import Permit
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.errors import ModbusRefused
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.polling.fleet import Fleet
from npms_meter_gateway.polling.line import Line
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.unit import Unit
from npms_meter_gateway.profiles import load_profiles
from npms_shared.clock import ManualClock

CLOCK = ManualClock(datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
TIMEOUT_S = 0.1
HIKING = load_profiles()[PROFILE]
HURRIED = replace(HIKING, limits=replace(HIKING.limits, timeout_ms=int(TIMEOUT_S * 1000)))


class RefusingBus:
    """Answers every request with the same exception."""

    def __init__(self, code: int) -> None:
        self._code = code

    async def ask(self, *_: object, **__: object) -> tuple[int, ...]:
        raise ModbusRefused(self._code)


@asynccontextmanager
async def polled(
    gateway: RecordingGateway, units: int, policy: BreakerPolicy, *, interval_s: float
) -> AsyncIterator[tuple[Line, Deliveries]]:
    """A line of `units` meters behind the gateway, numbered as their unit ids are."""
    deliveries, breaker = Deliveries(), GatewayBreaker(policy)
    bus = modbus_bus(Gateway("127.0.0.1", gateway.port))
    line = Line(bus, CLOCK, Cadence(interval_s), deliveries.hooks(), breaker)
    for number in range(1, units + 1):
        driver = ModbusDriver(bus, number, HURRIED)
        line.add(Meter(number, number, str(number), Unit(driver, HURRIED, policy, gateway=breaker)))
    async with polling(line):
        yield line, deliveries
    assert deliveries.refused == []


@asynccontextmanager
async def gateways_on(*gateways: RecordingGateway) -> AsyncIterator[None]:
    for gateway in gateways:
        await gateway.start()
    try:
        yield
    finally:
        for gateway in gateways:
            await gateway.stop()


async def test_t3_one_dead_unit_of_32_costs_the_others_less_than_a_twentieth() -> None:
    """Two saturated lines side by side, as slow as a serial one; one has a dead unit."""
    healthy, wounded = RecordingGateway(latency_s=0.02), RecordingGateway(latency_s=0.02)
    dead, units = 7, 32
    wounded.silent.add(dead)
    policy = BreakerPolicy(first_pause_s=25 * TIMEOUT_S, longest_pause_s=50 * TIMEOUT_S)

    def cycles(watch: Deliveries) -> float:
        return sum(watch.polls[n] for n in range(1, units + 1) if n != dead) / (units - 1)

    async with (
        gateways_on(healthy, wounded),
        polled(healthy, units, policy, interval_s=0.05) as (_, well),
        polled(wounded, units, policy, interval_s=0.05) as (_, ill),
    ):
        await until(lambda: _async(cycles(ill) >= 2 and (dead, False) in ill.links))
        before = cycles(well), cycles(ill)
        await until(lambda: _async(cycles(well) >= before[0] + 12), within_s=60)
        rate = (cycles(ill) - before[1]) / (cycles(well) - before[0])
        wounded.silent.clear()
        began = asyncio.get_running_loop().time()
        await until(lambda: _async((dead, True) in ill.links))
        took_s = asyncio.get_running_loop().time() - began
    assert rate > 0.95
    assert [link for link in ill.links if link[0] == dead] == [(dead, False), (dead, True)]
    assert took_s < 50 * TIMEOUT_S * 1.2 + 1
    assert ill.lost == well.lost == []


async def test_t2_a_gateway_that_never_answers_is_asked_once_a_pause_and_harms_no_other() -> None:
    units, pause_s, interval_s = 8, 0.5, 0.2
    mute, others = RecordingGateway(mute=True), [RecordingGateway() for _ in range(10)]
    policy = BreakerPolicy(first_pause_s=pause_s, longest_pause_s=2 * pause_s)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gateways_on(mute, *others))
        for gateway in others:
            await stack.enter_async_context(polled(gateway, units, policy, interval_s=interval_s))
        await until(lambda: _async(all(len(g.asked) > 10 * units for g in others)))
        alone_s = _worst_gap_s(others)
        line, watch = await stack.enter_async_context(
            polled(mute, units, policy, interval_s=interval_s)
        )
        await until(lambda: _async(line.breaker.is_open))
        asked_until_open = len(mute.asked)
        for gateway in others:
            gateway.asked.clear()
        await until(lambda: _async(len(mute.asked) >= asked_until_open + 4))
        beside_s = _worst_gap_s(others)
        probes = [asked.at for asked in mute.asked[asked_until_open:]]
        mute.mute = False
        await until(lambda: _async(all(watch.polls[n] for n in range(1, units + 1))))
    assert asked_until_open <= 2 * units
    assert all(later - sooner >= pause_s for sooner, later in pairwise(probes))
    assert watch.lost == [units]
    assert sorted(watch.links) == [(n, True) for n in range(1, units + 1)]
    assert beside_s < max(1.1 * alone_s, interval_s + 0.3)


async def test_t6_an_exception_of_the_gateway_counts_against_the_unit_alone() -> None:
    """0x0A and 0x0B say that the gateway lives: with all units dead its breaker stays closed."""
    breaker = GatewayBreaker(BreakerPolicy(trip_after=2, first_pause_s=60))
    bus = RefusingBus(0x0B)
    units = [
        Unit(ModbusDriver(bus, n, HURRIED), HURRIED, breaker.policy, gateway=breaker)  # type: ignore[arg-type]
        for n in (1, 2)
    ]
    for _ in range(2):
        for unit in units:
            with suppress(Refused):
                await unit.poll()
    assert all(unit.breaker.is_open for unit in units)
    assert not breaker.is_open


async def test_t9_a_gateway_with_room_for_one_client_is_not_stormed() -> None:
    gateway = RecordingGateway(most=1)
    policy = BreakerPolicy(first_pause_s=0.3, longest_pause_s=0.6)
    async with gateways_on(gateway):
        _, other = await asyncio.open_connection("127.0.0.1", gateway.port)
        await until(lambda: _async(gateway.open_now == 1))
        async with polled(gateway, 3, policy, interval_s=0.05) as (line, watch):
            await until(lambda: _async(line.breaker.is_open))
            opened = len(gateway.connects)
            await until(lambda: _async(len(gateway.connects) >= opened + 3))
            gaps = [b - a for a, b in pairwise(gateway.connects[opened:])]
            assert not watch.polls
            other.close()
            await until(lambda: _async(len(watch.polls) == 3))
    assert min(gaps) >= policy.first_pause_s * 0.9


async def test_t9_a_thousand_gateways_come_back_without_a_storm() -> None:
    """All of them down, then all up at the same instant: connections open at the set pace.

    They have addresses of their own, so that no client's port is ever one of theirs.
    """
    number, per_s = 1000, 250
    gateways = [RecordingGateway(f"127.7.{n // 250}.{n % 250 + 1}") for n in range(number)]
    watch, policy = Deliveries(), BreakerPolicy(first_pause_s=1, longest_pause_s=2)
    async with gateways_on(*gateways):
        pass
    fleet = Fleet(
        {PROFILE: HIKING},
        CLOCK,
        watch.hooks(),
        cadence=Cadence(60),
        policy=policy,
        options=LineOptions(Permit(connects_per_s=per_s)),
    )
    await fleet.follow([_polled(n, gateway) for n, gateway in enumerate(gateways, 1)])
    await until(lambda: _async(all(bus.is_down for bus in fleet.buses())), within_s=60)
    async with gateways_on(*gateways):
        await until(lambda: _async(len(watch.polls) == number), within_s=90)
        await fleet.close()
    connects = sorted(at for gateway in gateways for at in gateway.connects)
    busiest = max(sum(at <= other < at + 1 for other in connects) for at in connects)
    assert len(connects) == number
    assert busiest <= per_s * 1.2


def _polled(number: int, at: RecordingGateway) -> PolledInstallation:
    return PolledInstallation(
        installation_id=number,
        account_id=number,
        serial=f"T{number}",
        profile=PROFILE,
        unit_id=1,
        link="unknown",
        gateway=Gateway(at.host, at.port, gateway_id=number),
    )


def _worst_gap_s(gateways: list[RecordingGateway]) -> float:
    """The 99th percentile of the time between two polls of a meter."""
    gaps = []
    for gateway in gateways:
        last: dict[int, float] = {}
        for asked in gateway.asked:
            if asked.unit in last:
                gaps.append(asked.at - last[asked.unit])
            last[asked.unit] = asked.at
    return sorted(gaps)[int(len(gaps) * 0.99)]


async def _async(value: bool) -> bool:  # noqa: FBT001
    return value
