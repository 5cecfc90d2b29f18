"""Recognising a meter: real sockets of the simulated street, through the gateway's own line."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.planning import RegisterSpan
from npms_meter_gateway.domain.point import Order
from npms_meter_gateway.domain.probing import Trial, recognised
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.drivers.line.errors import LinkFault, NoAnswer
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.profiles import load_profiles
from npms_operations.errors import CommandError
from npms_operations.meter.cli import app
from npms_operations.meter.trying import Unit, try_all
from npms_operations.meter.words import verdict
from npms_shared.clock import ManualClock
from npms_tools.street.meter import Meter
from npms_tools.street.street import Plan, Street, build_street

PROFILES = {c: profile for c, profile in load_profiles().items() if profile.driver == "modbus"}
START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
RECOGNISED = [
    code for code in PROFILES if code not in {"dts353f", "eastron_sdm320y", "npms_street_limiter"}
]
"""All but two of which nothing but energy is known, and one without a frequency."""
SDM630, HIKING, LIMITER = "eastron_sdm630", "hiking_dds238_2_znsr", "npms_street_limiter"


@asynccontextmanager
async def street_of(*profiles: str, **plan: object) -> AsyncIterator[Street]:
    given = {"meters": len(profiles), "gateways": 1, "port_base": 0, **plan}
    street = build_street(Plan(profiles=profiles, **given), ManualClock(START))  # type: ignore[arg-type]
    await street.start()
    try:
        yield street
    finally:
        await street.stop()


def only(street: Street) -> Meter:
    [meter] = street.meters.values()
    return meter


async def probe(
    meter: Meter, profiles: Iterable[Profile] = PROFILES.values(), **gateway: object
) -> list[Trial]:
    bus = modbus_bus(Gateway(meter.host, meter.port, **gateway))  # type: ignore[arg-type]
    try:
        return await try_all(Unit(bus, meter.unit_id), profiles)
    finally:
        await bus.close()


def twisted(meter: Meter, by: Order) -> None:
    """As if what stands before the meter swapped its registers or bytes."""
    slots = tuple(
        replace(slot, order=str(Order(slot.order).twisted(by))) for slot in meter.map.slots
    )
    meter.map = replace(meter.map, slots=slots)


async def test_each_meter_of_the_street_is_recognised_among_all_profiles() -> None:
    async with street_of(*RECOGNISED) as street:
        for meter in street.meters.values():
            found = recognised(await probe(meter))
            assert found is not None, meter.map.profile
            assert found.profile.code == meter.map.profile


@pytest.mark.parametrize("by", [Order.CDAB, Order.BADC, Order.DCBA])
async def test_r8_a_wrong_order_of_bytes_is_refused_and_named(by: Order) -> None:
    async with street_of(SDM630) as street:
        twisted(only(street), by)
        trials = await probe(only(street), [PROFILES[SDM630]])
        assert recognised(trials) is None
        assert [trial.twist for trial in trials if trial.fits] == [by]
        assert next(verdict(trials)) == "Refused: no profile fits as it is."


async def test_r8_none_of_the_profiles_fits() -> None:
    async with street_of(SDM630) as street:
        trials = await probe(only(street), [PROFILES[HIKING], PROFILES["abb_b23"]])
        assert recognised(trials) is None
        first, *rest = verdict(trials)
        assert first == "Refused: no profile fits this meter."
        assert rest == [
            f"  {HIKING}: voltage_v would be 0, not 50 to 300",
            "  abb_b23: frequency_hz is not served",
        ]


async def test_r8_several_profiles_fit() -> None:
    """Two device types of one map, of which none names itself."""
    sdm120, sdm230 = (
        replace(PROFILES[code], probe=()) for code in ("eastron_sdm120", "eastron_sdm230")
    )
    async with street_of("eastron_sdm120") as street:
        trials = await probe(only(street), [sdm120, sdm230])
        assert recognised(trials) is None
        first, *rest = verdict(trials)
        assert first == "Refused: 2 ways of reading this meter fit, and a guess is none."
        assert "eastron_sdm230" in "".join(rest)
        told_apart, *_ = await probe(only(street), [PROFILES["eastron_sdm230"]])
        assert told_apart.doubts == ("holding register 0xfc02 names another device: 32",)


async def test_r8_two_orders_of_one_profile_fit() -> None:
    """A voltage alone, of one register, may be in range with its bytes swapped too."""
    async with street_of(LIMITER) as street:
        meter = only(street)
        meter.seed = 34  # 230.4 V is 0x0900, and 0x0009 is 0.9 V
        assert recognised(await probe(meter, [PROFILES[LIMITER]]))
        meter.seed = 41  # 231.1 V is 0x0907: swapped 179.3 V
        trials = await probe(meter, [PROFILES[LIMITER]])
        assert recognised(trials) is None
        assert [trial.twist for trial in trials if trial.fits] == [Order.ABCD, Order.BADC]


@given(st.sampled_from(list(Order)), st.sampled_from(list(Order)))
def test_twisting_twice_is_no_twist(order: Order, by: Order) -> None:
    assert order.twisted(by).twisted(by) is order
    assert order.twisted(Order.ABCD) is order


@pytest.mark.parametrize("transport", ["modbus_tcp", "rtu_over_tcp"])
async def test_a_unit_that_never_answers_ends_the_probe(transport: str) -> None:
    async with street_of(HIKING, transport=transport) as street:
        meter = only(street)
        meter.faults.silent = -1
        hiking = PROFILES[HIKING]
        hasty = replace(hiking, limits=replace(hiking.limits, timeout_ms=50))
        with pytest.raises(NoAnswer):
            await probe(meter, [hasty], transport=transport, late_window_ms=10)


async def test_a_unit_that_is_not_there_ends_the_probe() -> None:
    async with street_of(HIKING) as street:
        meter = only(street)
        nobody = replace(meter, unit_id=200)
        with pytest.raises(LinkFault, match="0x0b"):
            await probe(nobody)


async def test_a_register_that_names_the_device_and_is_not_served_is_named() -> None:
    async with street_of(HIKING) as street:
        first, *_ = await probe(only(street), [PROFILES[SDM630]])
        assert first.doubts[0] == "holding register 0xfc02 is not served"


async def test_a_line_is_silent_as_long_as_its_slowest_meter_needs() -> None:
    async with street_of(SDM630) as street:
        meter, profile = only(street), PROFILES[SDM630]
        bus = modbus_bus(Gateway(meter.host, meter.port))
        bus.keep_gap(profile.limits.min_gap_ms)
        bus.keep_gap(0)
        loop = asyncio.get_running_loop()
        unit, began = Unit(bus, meter.unit_id), loop.time()
        for number in range(4):
            await unit.find([RegisterSpan("any", "input", 2 * number, 2)], profile.limits)
        assert loop.time() - began >= 3 * 0.06
        await bus.close()


async def run(*arguments: str) -> Result:
    """The command in a thread, since it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


def at(meter: Meter) -> tuple[str, ...]:
    return (meter.host, str(meter.unit_id), "--port", str(meter.port))


async def test_the_command_recognises_and_explains() -> None:
    async with street_of(HIKING, SDM630) as street:
        hiking, sdm630 = street.meters.values()
        found = await run("probe", *at(hiking))
        assert (found.exit_code, found.output.splitlines()[0]) == (
            0,
            "hiking_dds238_2_znsr: Hiking DDS238-2 ZN/SR",
        )
        assert "Nothing read here proves the order of its energy's registers" in found.output
        refused = await run("probe", *at(sdm630), "--among", HIKING)
        assert refused.exit_code == 1
        assert refused.output.startswith("Refused: no profile fits this meter.")


async def test_the_command_reads_every_point_exactly() -> None:
    async with street_of(HIKING, "pzem_016") as street:
        hiking, pzem = street.meters.values()
        hiking.counted_wms = 1_234_560 * 3_600_000
        shown = await run("read", *at(hiking), "--profile", HIKING)
        assert shown.exit_code == 0
        rows = {line.split()[1]: line.split() for line in shown.output.splitlines() if "│" in line}
        assert rows["energy_import_wh"][3:6:2] == ["1234560", "Wh"]
        assert rows["frequency_hz"][3:6:2] == ["50", "Hz"]
        assert "relay: on" in shown.output
        doubted = await run("read", *at(pzem), "--profile", "pzem_016")
        assert "pzem_016 is uncertain (disputed" in doubted.output


async def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    nobody = ("127.0.0.1", "1", "--port", "9")
    for arguments, words in (
        (("probe", *nobody, "--among", "dlt645_generic"), "none of these profiles speaks Modbus"),
        (("read", *nobody, "--profile", "dlt645_generic"), "give it with --serial"),
        (("read", *nobody, "--profile", "crystal_ball"), "no profile 'crystal_ball'"),
        (("probe", *nobody, "--transport", "pigeon"), "--transport is one of"),
        (("probe", *nobody), "127.0.0.1:9"),
    ):
        fault = (await run(*arguments)).exception
        assert isinstance(fault, CommandError)
        assert words in str(fault)
    (tmp_path / "bad.yaml").write_text("vendor: [")
    fault = (await run("probe", *nobody, "--profiles", str(tmp_path))).exception
    assert "profile bad: not YAML" in str(fault)
