"""What homes draw, and that meters count all of it and nothing else."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_shared.clock import ManualClock
from npms_tools.street.contact import Contact
from npms_tools.street.homes import Shaped, Standard, settle
from npms_tools.street.households import STEP_S
from npms_tools.street.meter import WMS_PER_WH, Feeder, Meter
from npms_tools.street.register_map import load_map
from npms_tools.street.standard_profile import h0_deciwatts
from npms_tools.street.street import LOSS_PPM, Plan, build_street

START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
YEAR_S = 365 * 86_400


def meter(home: object = None, **changes: object) -> Meter:
    values = {
        "serial": "M1",
        "map": load_map("schneider_iem3000"),
        "host": "127.0.0.1",
        "port": 0,
        "unit_id": 1,
        "home": home or Standard("household", 7, 2600),
        "seed": 1,
        "counted_wms": 0,
        "at_ms": START_MS,
        **changes,
    }
    return Meter(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_year_of_the_standard_profile_is_the_annual_energy(seed: int) -> None:
    home = Standard("household", seed, 2600)
    begins_s = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    drawn_w = sum(home.draws_w(at_s) for at_s in range(begins_s, begins_s + YEAR_S, STEP_S))
    assert drawn_w * STEP_S / 3600 == pytest.approx(2_600_000, rel=0.01)


def test_h0_has_its_evening_peak_and_winter() -> None:
    def at(month: int, hour: int) -> int:
        return h0_deciwatts(int(datetime(2026, month, 7, hour, tzinfo=UTC).timestamp()))

    assert at(1, 19) > 2 * at(1, 3)
    assert at(1, 19) > at(7, 19)


def test_homes_are_drawn_the_same_from_a_seed_and_differ_by_it() -> None:
    street = [settle(number, 1) for number in range(2000)]
    assert street == [settle(number, 1) for number in range(2000)]
    assert street != [settle(number, 2) for number in range(2000)]
    kinds = [home.kind for home in street]
    for kind, share in {"vacant": 4, "panels": 3, "theft": 1, "grow_house": 1}.items():
        assert share * 10 <= kinds.count(kind) <= share * 32, kind
    assert kinds.count("household") > 1400


@given(st.lists(st.tuples(st.integers(1, 4_000_000), st.booleans()), max_size=15))
def test_what_is_counted_is_the_integral_of_the_load(acts: list[tuple[int, bool]]) -> None:
    """Against a sum that walks the same time second by second, relay and all."""
    home = Standard("panels", 3, 3500, panels_w=6000)
    one = meter(home)
    wanted_wms = exported_wms = 0
    for took_ms, on in acts:
        was_on, from_ms = one.relay_on, one.at_ms
        one.advance(from_ms + took_ms)
        edges = [from_ms, *range((from_ms // 1000 + 1) * 1000, one.at_ms, 1000), one.at_ms]
        for begins, ends in pairwise(edges) if was_on else ():
            net_w = home.draws_w(begins // 1000) - home.generates_w(begins // 1000)
            wanted_wms += max(net_w, 0) * (ends - begins)
            exported_wms += max(-net_w, 0) * (ends - begins)
        one.relay_on = on
    assert (one.counted_wms, one.exported_wms) == (wanted_wms, exported_wms)
    assert one.drawn_wms == wanted_wms - exported_wms


def test_panels_turn_the_power_round_and_count_in_the_other_register() -> None:
    noon_ms = int(datetime(2026, 6, 2, 12, tzinfo=UTC).timestamp()) * 1000
    one = meter(Standard("panels", 3, 1000, panels_w=6000), at_ms=noon_ms)
    assert one.power_w < -1000
    one.advance(noon_ms + 3_600_000)
    assert one.counted_wms == 0
    assert one.exported_wms > 1000 * WMS_PER_WH


def test_a_contact_moves_when_its_time_has_come_and_the_register_stops_then() -> None:
    one = meter(load_w=3600, contact=Contact(moves_in_ms=80))
    one.switch(on=False)
    assert one.relay_on
    one.advance(START_MS + 1000)
    assert not one.relay_on
    assert one.counted_wms == 3600 * 80


def test_a_timed_opening_closes_by_itself() -> None:
    one = meter(load_w=3600)
    one.open_for(60)
    assert not one.relay_on
    one.advance(START_MS + 61_000)
    assert one.relay_on
    assert one.counted_wms == 3600 * 1000
    one.open_for(0xFFFFFFFF)
    one.advance(START_MS + 10**9)
    assert not one.relay_on


def test_who_must_press_a_button_is_armed_first() -> None:
    one = meter(contact=Contact(needs_button=True))
    one.switch(on=False)
    one.contact.press_button()
    assert not one.relay_on, "nothing to press for: nobody has permitted it"
    one.switch(on=True)
    assert (one.relay_on, one.contact.is_armed) == (False, True)
    one.contact.press_button()
    assert (one.relay_on, one.contact.is_armed) == (True, False)


def test_the_sum_of_a_section_finds_the_theft() -> None:
    plan = Plan(meters=40, gateways=2, port_base=0, loads="standard", feeders=True)
    clock = ManualClock(START)
    street = build_street(plan, clock)
    feeders = [one for one in street.meters.values() if isinstance(one, Feeder)]
    assert len(feeders) == 2
    honest, robbed = feeders
    for member in (*honest.members, *robbed.members):
        member.home = Shaped("couple", member.seed)
    thief = robbed.members[0]
    thief.home = Shaped("workshop", thief.seed, bypass_ppm=600_000)
    before = {serial: one.counted_wms for serial, one in street.meters.items()}
    street.now_ms()
    for one in feeders:
        one.advance(START_MS + 86_400_000)

    def moved(one: Meter) -> int:
        return one.counted_wms - before[one.serial]

    for feeder in feeders:
        taken = sum(member.drawn_wms for member in feeder.members)
        assert abs(moved(feeder) - taken * (1_000_000 + LOSS_PPM) // 1_000_000) < 10**6
    assert moved(honest) < sum(map(moved, honest.members)) * 1.03
    assert moved(robbed) > sum(map(moved, robbed.members)) * 1.10
    assert thief.drawn_wms * 4 // 10 == pytest.approx(moved(thief), rel=0.001)
