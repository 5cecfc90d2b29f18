"""What transformers, silence and days of 23 hours do to a bill: gateway, tariff, ledger, audit."""

import struct
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.integration.audit.audit_world import OPENED_AT, PROFILES, World
from tests.integration.audit.test_audit_held_readings import charged, prove, rows, take
from tests.support.databases import DatabaseFactory

from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.domain.profile import ENERGY
from npms_meter_gateway.handlers.change_ratio import Ratio, change_ratio
from npms_meter_gateway.handlers.record_readings import Readings
from npms_shared.actor import Actor
from npms_tools.stack.services import SERVICES

AMINA: Any = {"by": Actor("amina"), "reason": "transformers of 200/5 A"}
QUARTER = timedelta(minutes=15)


@pytest.fixture
async def empty(databases: DatabaseFactory) -> AsyncIterator[World]:
    made = {service: await databases.make(service) for service in SERVICES}
    world = World(made)
    await world.announce_profiles()
    await world.plan()
    yield world
    for database in made.values():
        await databases.drop(database)


@pytest.fixture
async def world(empty: World) -> World:
    account_id = await empty.open(1)
    await empty.pay(str(account_id), "statement-1", amount_micro=90_000_000_000)
    return empty


def seconds(world: World) -> int:
    return int(world.clock.now().timestamp())


async def test_r9_a_ratio_counts_from_its_instant_on_and_cuts_the_interval_there(world: World):
    await take(world, 1_000_040)
    world.clock.advance(timedelta(minutes=5))
    await world.of_gateway(change_ratio, 1, Ratio(seconds(world), Fraction(40), 1_000_050), **AMINA)
    await world.settle()
    outcome = await take(world, 1_000_060, 1_000_061)
    assert outcome.accepted == 2
    ends = [to for _, to in await charged(world)]
    assert ends[-4:] == [1_000_040, 1_000_050, 1_000_450, 1_000_490]
    assert await rows(world, "meter-gateway", "SELECT how, shown_wh FROM reading_origin") == [
        ("ratio", 1_000_050)
    ]
    await prove(world)


async def test_r9_the_same_reading_again_is_known_by_what_the_meter_showed(world: World):
    await take(world, 1_000_040)
    await world.of_gateway(
        change_ratio, 1, Ratio(seconds(world), Fraction("7.5"), 1_000_040), **AMINA
    )
    sent = await take(world, 1_000_045)
    assert sent.accepted == 1
    at_s = seconds(world)
    again = Readings([1, 1], [at_s - 900, at_s], [1_000_040, 1_000_045])
    outcome = await world.recorder.record_readings(again, source="test")
    assert [verdict.value for verdict in outcome.others.values()] == ["duplicate"] * 2
    other = Readings([1, 1], [at_s - 900, at_s], [1_000_041, 1_000_046])
    outcome = await world.recorder.record_readings(other, source="test")
    assert [verdict.value for verdict in outcome.others.values()] == ["conflict"] * 2


async def test_r9_a_ratio_from_the_opening_on_begins_at_the_opening_register(world: World):
    opened_s = int(OPENED_AT.timestamp())
    await world.of_gateway(change_ratio, 1, Ratio(opened_s, Fraction(40), 25_000), **AMINA)
    await take(world, 25_010)
    assert (await charged(world))[-1] == (1_000_000, 1_000_400)
    await prove(world)


async def test_r9_a_ratio_that_contradicts_what_was_accepted_is_refused(world: World):
    await take(world, 1_000_040, 1_000_080)
    last_s = seconds(world)
    for ratio, code in (
        (Ratio(last_s - 900, Fraction(40), 1_000_040), "read_since"),
        (Ratio(last_s, Fraction(40), 1_000_079), "moment_taken"),
        (Ratio(last_s + 60, Fraction(40), 1_000_079), "not_believed"),
        (Ratio(last_s + 60, Fraction(40), 9_000_000), "not_believed"),
        (Ratio(last_s + 9_000, Fraction(40), 1_000_090), "not_believed"),
    ):
        with pytest.raises(Unfit) as refused:
            await world.of_gateway(change_ratio, 1, ratio, **AMINA)
        assert refused.value.code == code
    with pytest.raises(UnknownMeter):
        await world.of_gateway(change_ratio, 77, Ratio(last_s, Fraction(40), 0), **AMINA)
    assert await rows(world, "meter-gateway", "SELECT * FROM reckoning") == []
    await world.of_gateway(change_ratio, 1, Ratio(last_s, Fraction(40), 1_000_080), **AMINA)
    with pytest.raises(Unfit) as refused:
        await world.of_gateway(change_ratio, 1, Ratio(last_s, Fraction(50), 1_000_080), **AMINA)
    assert refused.value.code == "moment_taken"
    await prove(world)


async def test_r12_silence_over_a_change_of_prices_is_charged_whole_and_split_there(world: World):
    """The second version takes over two days and seven minutes after the opening."""
    await take(world, 1_000_400)
    world.clock.advance(timedelta(days=3))
    await take(world, 1_090_400)
    charges = await charged(world)
    assert charges[-1][1] == 1_090_400
    assert len(charges) == 3, "one up to the change, one from it on"
    assert sum(to - frm for frm, to in charges) == 90_400
    await prove(world)


@pytest.mark.parametrize(
    ("day", "hours"), [("2027-03-28", 23), ("2026-10-25", 25)], ids=["23 h", "25 h"]
)
async def test_r12_a_day_of_23_or_25_hours_is_exact_and_each_of_its_hours_counted_once(
    empty: World, day: str, hours: int
):
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime.fromisoformat(day).replace(tzinfo=berlin)
    begin_s = int(midnight.timestamp())
    empty.clock.advance(timedelta(seconds=begin_s - empty.clock.now().timestamp() - 4 * 3600))
    account_id = await empty.open(1, time_zone="Europe/Berlin")
    await empty.pay(str(account_id), "statement-1", amount_micro=90_000_000_000)
    await take(empty, 1_000_000)
    empty.clock.advance(timedelta(hours=hours + 8))
    used_wh = (hours * 3600 + 8 * 3600 + 900) * 1
    await take(empty, 1_000_000 + used_wh)
    found = await rows(
        empty,
        "tariff",
        "SELECT count(*), count(DISTINCT hour_s), sum(energy_wh) FROM usage_hour "  # noqa: S608
        f"WHERE hour_s >= {begin_s} AND hour_s < {begin_s + hours * 3600}",
    )
    assert found == [(hours, hours, hours * 3600)], "a Wh a second"
    (whole,) = await rows(
        empty,
        "tariff",
        f"SELECT energy_wh FROM usage_day WHERE day_s = {begin_s}",  # noqa: S608
    )
    assert whole == (hours * 3600,)
    assert (await charged(empty))[-1][1] == 1_000_000 + used_wh
    await prove(empty)


def float32_wh(profile: str, kwh: Fraction) -> int:
    """What a meter of the profile shows, as it is decoded from its two registers."""
    (bits,) = struct.unpack(">I", struct.pack(">f", float(kwh)))
    value = decode(PROFILES[profile].points[ENERGY], [bits >> 16, bits & 0xFFFF])
    assert value is not None
    return whole(value)


async def test_r14_float32_registers_are_charged_by_last_minus_first_exactly(empty: World):
    """Above 65,536 kWh one step of the number is 7.8 Wh, above 131,072 it is 15.6."""
    profile, true_kwh = "eastron_sdm120", Fraction(131_000)
    opening_wh = float32_wh(profile, true_kwh)
    account_id = await empty.open(1, profile=profile, opening_wh=opening_wh)
    await empty.pay(str(account_id), "statement-1", amount_micro=90_000_000_000)
    shown = []
    for number in range(60):
        true_kwh += Fraction(137 + 41 * number, 1000)
        shown.append(float32_wh(profile, true_kwh))
        assert (await take(empty, shown[-1])).accepted == 1
    charges = await charged(empty)
    assert [to for _, to in charges] == shown
    assert sum(to - frm for frm, to in charges) == shown[-1] - opening_wh
    assert abs(true_kwh * 1000 - shown[-1]) < 16
    await prove(empty)
