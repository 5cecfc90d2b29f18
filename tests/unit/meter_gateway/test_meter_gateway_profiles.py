import struct
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.decoding import decode, text_of, whole
from npms_meter_gateway.domain.planning import (
    Block,
    RegisterSpan,
    plan,
    spans_of,
    split,
    tell_apart,
)
from npms_meter_gateway.domain.point import Group, Point
from npms_meter_gateway.domain.profile import (
    ENERGY,
    LOAD_LIMIT,
    RELAY,
    GoldenFrame,
    Limits,
    Profile,
    ProfileError,
)
from npms_meter_gateway.domain.schedule import names_of
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.golden import golden_faults
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.errors import ModbusRefused
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.polling.unit import POLLED
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import load_profile, parse_profile
from npms_tools.street.register_map import load_map

PROFILES = load_profiles()
MODBUS = {code: profile for code, profile in PROFILES.items() if profile.driver == "modbus"}


def minimal(**changes: Any) -> dict[str, Any]:
    return {
        "profile": "test_meter",
        "vendor": "Nobody",
        "model": "T1",
        "sources": [{"what": "this test", "confidence": "assumed"}],
        "resolution_wh": 10,
        "points": {ENERGY: {"table": "holding", "address": 10, "type": "u32", "scale": "10"}},
        "relay": {"kind": "none"},
        **changes,
    }


def faults_of(data: dict[str, Any]) -> str:
    with pytest.raises(ProfileError) as caught:
        parse_profile(data, name="test_meter")
    return "; ".join(caught.value.faults)


def test_ships_maps_with_both_kinds_of_relay() -> None:
    kinds = {p.relay.kind for p in PROFILES.values() if p.relay}
    assert kinds >= {"fc16_register", "fc5_coil", "fc16_keyed"}
    assert len(PROFILES) >= 17


@pytest.mark.parametrize("profile", MODBUS.values(), ids=MODBUS.keys())
def test_every_profile_reads_back_what_its_meter_shows(profile: Profile) -> None:
    register_map = load_map(profile.code)
    for slot in register_map.slots:
        if slot.constant is not None:
            continue
        point = profile.points[slot.name]
        shown = point.scale * 1234
        assert decode(point, slot.encode(shown)) == shown, slot.name


@pytest.mark.parametrize("profile", MODBUS.values(), ids=MODBUS.keys())
def test_every_plan_covers_its_spots_inside_the_limits(profile: Profile) -> None:
    spans = spans_of(profile, {*profile.points, RELAY, LOAD_LIMIT})
    blocks = plan(set(spans), profile.limits)
    covered = {span for block in blocks for span in block.spans}
    assert covered == set(spans)
    for block in blocks:
        assert block.count <= profile.limits.max_read
        if profile.limits.even and block.table != "coil":
            assert block.address % 2 == block.count % 2 == 0
        for span in block.spans:
            assert block.address <= span.address
            assert span.address + span.count <= block.address + block.count


@pytest.mark.parametrize("profile", MODBUS.values(), ids=MODBUS.keys())
def test_golden_frames_mean_what_the_profile_says(profile: Profile) -> None:
    assert golden_faults(profile) == []
    assert any(ENERGY in frame.values for frame in profile.golden)
    if profile.relay and profile.relay.is_commanded:
        assert {frame.switches for frame in profile.golden} >= {"on", "off"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"values": {ENERGY: "12345671"}}, "values.energy_import_wh: 12345670, not 12345671"),
        ({"values": {ENERGY: None}}, "values.energy_import_wh: 12345670, not absent"),
        ({"values": {"power_w": "1"}}, "values.power_w: no such point"),
        ({"request": "01 03 00 0A 00 02 E4 08"}, "request: wrong CRC"),
        ({"request": "02 03 00 0A 00 02 E4 3A"}, "another unit answers than was asked"),
        ({"request": "01 03 00 0A 00 01 A4 08"}, "response: 4 bytes of data, 2 were asked for"),
        ({"request": "01 04 00 0A 00 02 51 C9"}, "response: function 0x03, 0x04 was asked"),
        ({"response": "01 83 02 C0 F1"}, "response: Modbus exception 0x02"),
        ({"response": "01"}, "response: too short for a frame"),
        ({"values": {}, "switches": "on"}, "switches: there is no relay"),
    ],
)
def test_a_golden_frame_that_does_not_fit_is_named(change: dict[str, Any], fault: str) -> None:
    frame = {
        "origin": "constructed",
        "request": "01 03 00 0A 00 02 E4 09",
        "response": "01 03 04 00 12 D6 87 44 34",
        "values": {ENERGY: "12345670"},
    }
    good = parse_profile(minimal(golden=[frame]), name="t")
    assert golden_faults(good) == []
    bad = parse_profile(minimal(golden=[{**frame, **change}]), name="t")
    assert golden_faults(bad) == [f"golden.0: {fault}"]


def test_l11_a_write_with_the_wrong_key_or_function_is_not_golden() -> None:
    """The DDS238 understands function 16 only; a Fineco nothing without its own key."""
    hiking = PROFILES["hiking_dds238_2_znsr"]
    by_06 = GoldenFrame(
        request=bytes.fromhex("01 06 00 1A 00 01 69 CD"),
        response=bytes.fromhex("01 06 00 1A 00 01 69 CD"),
        values={}, switches="on", serial_number=None, origin="constructed",
    )  # fmt: skip
    [fault, _] = golden_faults(replace(hiking, golden=(by_06,)))
    assert fault == "golden.0: request: 10 00 1a 00 01 02 00 01 switches on"
    fineco = PROFILES["fineco_em115_do"]
    keyed = next(frame for frame in fineco.golden if frame.switches == "on")
    assert golden_faults(replace(fineco, golden=(keyed,))) == []
    another = replace(keyed, serial_number=0x00123400)
    assert golden_faults(replace(fineco, golden=(another,)))
    assert golden_faults(replace(fineco, golden=(replace(keyed, serial_number=None),))) == [
        "golden.0: serial_number: the key follows from it"
    ]


def planned(profile: Profile, group: Group) -> tuple[Block, ...]:
    return ModbusDriver(Silence(), 1, profile)._plan_of(names_of(profile, group))  # type: ignore[arg-type]


class Silence:
    """A line that is not asked."""


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_billing_reads_stay_inside_the_limits_and_cover_their_points(profile: Profile) -> None:
    blocks = planned(profile, Group.BILLING)
    names = names_of(profile, Group.BILLING)
    spans = [span for block in blocks for span in block.spans]
    assert sorted(s.name for s in spans) == sorted(s.name for s in spans_of(profile, names))
    for block in blocks:
        assert block.count <= profile.limits.max_read
        if profile.limits.even and block.table != "coil":
            assert block.address % 2 == block.count % 2 == 0
        for span in block.spans:
            assert block.address <= span.address
            assert span.address + span.count <= block.address + block.count


@pytest.mark.parametrize(
    "code",
    [c for c, p in PROFILES.items() if p.driver == "modbus" and c != "fineco_em737_do"],
)
def test_no_other_answer_of_a_meter_has_the_length_of_its_energy(code: str) -> None:
    """So that a late one cannot be taken for it. The EM737's energy stands alone."""
    billing, slow = (planned(PROFILES[code], group) for group in (Group.BILLING, Group.SLOW))
    lengths = [(block.table, block.count) for block in (*billing, *slow)]
    [energy] = [b for b in billing if any(span.name == ENERGY for span in b.spans)]
    assert lengths.count((energy.table, energy.count)) == 1


SPOTS = st.lists(st.integers(0, 60), min_size=2, max_size=12, unique=True)


@given(SPOTS, st.integers(1, 6), st.integers(0, 20), st.booleans())
def test_reads_told_apart_still_cover_inside_the_limits(
    places: list[int],
    billed: int,
    hole: int,
    even: bool,  # noqa: FBT001
) -> None:
    limits = Limits(max_read=40, max_hole=hole, even=even)
    spans = [RegisterSpan(str(place), "holding", 2 * place, 2) for place in places]
    mine, rest = spans[:billed], spans[billed:]
    others = plan(rest, limits)
    blocks = tell_apart(plan(mine, limits), others, rest, limits)
    assert sorted(s.name for b in blocks for s in b.spans) == sorted(s.name for s in mine)
    for block in blocks:
        assert block.count <= limits.max_read
        assert not even or block.address % 2 == block.count % 2 == 0
        for span in block.spans:
            assert block.address <= span.address
            assert span.address + span.count <= block.address + block.count
        served = {at for s in spans for at in range(s.address, s.address + s.count)}
        assert block.address in served
        assert block.address + block.count - 1 in served


class Stubborn:
    """A line behind which longer reads than of two registers are refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def ask(self, _unit: int, request: Read, **_: object) -> tuple[int, ...]:
        self.asked.append((request.address, request.count))
        if request.count > 2:
            raise ModbusRefused(2)
        return (0, 5)


async def test_t6_a_lengthened_read_that_is_refused_loses_nothing() -> None:
    point = {"table": "holding", "type": "u32"}
    points = {
        ENERGY: {**point, "address": 10},
        "energy_export_wh": {**point, "address": 12},
        "energy_total_wh": {**point, "address": 40},
    }
    line = Stubborn()
    driver = ModbusDriver(line, 1, parse_profile(minimal(points=points), name="t"))  # type: ignore[arg-type]
    for _ in range(2):
        shown = await driver.read({ENERGY}, Priority.BILLING)
        assert shown.values == {ENERGY: 5}
    assert line.asked == [(10, 4), (10, 2), (10, 2)]
    assert driver.refused == []


def test_one_read_brings_everything_of_the_hiking_relay_meter() -> None:
    profile = PROFILES["hiking_dds238_2_znsr"]
    blocks = plan(spans_of(profile, POLLED), profile.limits)
    assert [(b.address, b.count) for b in blocks] == [(0x0A, 17)]
    assert all(len(part.spans) == 1 for part in split(blocks[0], profile.limits))


@given(st.sets(st.integers(0, 400), min_size=1, max_size=40), st.integers(0, 30), st.booleans())
def test_plans_keep_to_holes_and_lengths(addresses: set[int], hole: int, even: bool) -> None:  # noqa: FBT001
    data = minimal(
        limits={"max_read": 40, "max_hole": hole, "even": even},
        points={ENERGY: {"table": "holding", "address": 2, "type": "u32", "scale": "10"}},
    )
    limits = parse_profile(data, name="t").limits
    spans = [RegisterSpan(str(a), "input", a * 2, 2) for a in addresses]
    blocks = plan(spans, limits)
    assert sorted(s.address for b in blocks for s in b.spans) == sorted(s.address for s in spans)
    for block in blocks:
        assert block.count <= 40
        inside = sorted(block.spans, key=lambda s: s.address)
        for before, after in pairwise(inside):
            assert after.address - (before.address + before.count) <= hole


def test_r1_moduli_are_data_and_exact() -> None:
    """A u32 of 0.01 kWh starts again after 42,949,672.95, six digits after 999,999.9 kWh."""
    u32 = {code: profile for code, profile in PROFILES.items() if profile.rollover_wh}
    for code in ("acrel_dtsd1352", "hiking_dds238_2_znsr", "taiye_tac4300"):
        last = decode(u32[code].points[ENERGY], [0xFFFF, 0xFFFF])
        assert last == 42_949_672_950
        assert last + u32[code].resolution_wh == u32[code].rollover_wh
    six_digits = minimal(
        points={ENERGY: {"address": 10, "type": "u32", "scale": "100"}},
        resolution_wh=100,
        rollover_wh=1_000_000_000,
    )
    assert parse_profile(six_digits, name="t").rollover_wh == 999_999_900 + 100


def test_overlapping_registers_are_named() -> None:
    points = {
        ENERGY: {"table": "holding", "address": 10, "type": "u32", "scale": "10"},
        "power_w": {"table": "holding", "address": 11, "type": "u16"},
    }
    assert "points.power_w: overlaps points.energy_import_wh at holding register 0x000b" in (
        faults_of(minimal(points=points))
    )


def test_a_relay_inside_a_point_is_named() -> None:
    relay = {
        "kind": "fc16_register",
        "address": 11,
        "read_back": {"table": "holding", "address": 11, "value_on": 1, "value_off": 0},
    }
    assert "relay" in faults_of(minimal(relay=relay))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"points": {}}, "energy_import_wh is missing"),
        ({"resolution_wh": 0}, "resolution_wh"),
        ({"rollover_wh": 5}, "rollover_wh"),
        ({"rollover_wh": 42_949_672_961}, "rollover_wh: more than points.energy_import_wh can"),
        ({"resolution_wh": 9}, "resolution_wh: points.energy_import_wh moves by 10 Wh at least"),
        ({"colour": "red"}, "colour"),
        ({"sources": []}, "sources"),
        ({"limits": {"max_read": 200}}, "limits.max_read"),
        ({"relay": {"kind": "fc7_magic"}}, "relay.kind"),
        ({"relay": {"kind": "fc5_coil", "address": 0}}, "relay.read_back"),
        (
            {
                "relay": {
                    "kind": "fc16_register",
                    "value_on": 0,
                    "read_back": {"table": "coil", "address": 1, "value_on": 1, "value_off": 0},
                }
            },
            "written the same",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], place: str) -> None:
    assert place in faults_of(minimal(**changes))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"type": "u24"}, "type"),
        ({"scale": 0.1}, "scale"),
        ({"scale": "-1"}, "scale"),
        ({"scale": "1/0"}, "scale"),
        ({"address": 65535}, "beyond"),
        ({"address": 70000}, "address"),
        ({"table": "coil"}, "table"),
    ],
)
def test_a_wrong_point_is_named(change: dict[str, Any], place: str) -> None:
    point = {"table": "holding", "address": 10, "type": "u32", "scale": "10", **change}
    assert place in faults_of(minimal(points={ENERGY: point}))


def test_odd_addresses_are_refused_where_the_meter_wants_even_ones() -> None:
    point = {"table": "input", "address": 11, "type": "f32", "scale": "1000"}
    data = minimal(points={ENERGY: point}, limits={"even": True})
    assert "even" in faults_of(data)


def test_further_profiles_come_from_a_folder_and_must_be_new(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(minimal()))
    assert "test_meter" in load_profiles(tmp_path)
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(minimal()))
    with pytest.raises(ProfileError, match="defined twice"):
        load_profiles(tmp_path)
    (tmp_path / "b.yaml").write_text("points: [")
    with pytest.raises(ProfileError, match="not YAML"):
        load_profile(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").write_bytes(b"vendor: \xff")
    with pytest.raises(ProfileError, match="not YAML"):
        load_profile(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").write_text("points: {power_w: {address: 1}, power_w: {address: 2}}")
    with pytest.raises(ProfileError, match="'power_w' stands there twice"):
        load_profile(tmp_path / "b.yaml")


def test_invalid_patterns_and_nan_are_not_available() -> None:
    abb = PROFILES["abb_b23"].points[ENERGY]
    assert decode(abb, [0xFFFF] * 4) is None
    eastron = PROFILES["eastron_sdm120"].points[ENERGY]
    assert decode(eastron, [0x7FC0, 0]) is None
    assert decode(eastron, [0x7F80, 0]) is None
    assert decode(eastron, [0x3F80, 0]) == Fraction(1000)


def test_r11_a_profile_with_the_transformers_ratio_in_its_scale_reads_primary_energy() -> None:
    """So a changed ratio is another profile, from the opening of another installation on."""
    plain = PROFILES["schneider_iem3000"].points[ENERGY]
    behind_200_to_5 = replace(plain, scale=plain.scale * 40)
    raw = [0, 0, 0x0001, 0x86A0][-plain.type.registers :]
    shown = decode(plain, raw)
    assert shown
    assert decode(behind_200_to_5, raw) == 40 * shown


ORDERS = {"abcd": [0, 1, 2, 3], "cdab": [2, 3, 0, 1], "badc": [1, 0, 3, 2], "dcba": [3, 2, 1, 0]}


@given(st.integers(0, 0xFFFFFFFF), st.sampled_from(sorted(ORDERS)))
def test_every_byte_order_reads_the_same_number(number: int, order: str) -> None:
    straight = number.to_bytes(4, "big")
    sent = bytes(straight[at] for at in ORDERS[order])
    point = {"table": "holding", "address": 0, "type": "u32", "order": order}
    read = parse_profile(minimal(points={ENERGY: point}), name="t").points[ENERGY]
    assert decode(read, struct.unpack(">HH", sent)) == number


NOT_AVAILABLE = [
    ("u16", [0xFFFF], [0xFFFF]),
    ("s16", [0x8000], [0x8000]),
    ("s16", [0x7FFF], [0x7FFF]),
    ("u32", [0xFFFFFFFF], [0xFFFF, 0xFFFF]),
    ("u32", [0], [0, 0]),
    ("s32", [0x80000000], [0x8000, 0]),
    ("s32", [0x7FFFFFFF], [0x7FFF, 0xFFFF]),
    ("u64", [0xFFFFFFFFFFFFFFFF], [0xFFFF] * 4),
    ("s64", [0x8000000000000000], [0x8000, 0, 0, 0]),
    ("f32", [], [0x7FC0, 0]),
    ("f32", [], [0xFFC0, 0]),
    ("f32", [], [0x7F80, 0]),
    ("f32", [], [0xFF80, 0]),
    ("f64", [], [0x7FF8, 0, 0, 0]),
]


@pytest.mark.parametrize(("number", "invalid", "words"), NOT_AVAILABLE)
@pytest.mark.parametrize("order", sorted(ORDERS))
def test_r7_an_invalid_pattern_is_not_available_and_never_zero(
    number: str, invalid: list[int], words: list[int], order: str
) -> None:
    """Also the zero by which a SunSpec accumulator says that it does not count."""
    point = {
        "table": "holding", "address": 0, "type": number, "invalid": invalid, "order": order,
    }  # fmt: skip
    read = parse_profile(minimal(points={ENERGY: point}), name="t").points[ENERGY]
    sent = list(reversed(words)) if read.order.low_register_first else words
    if read.order.swaps_bytes:
        sent = [int.from_bytes(word.to_bytes(2, "big"), "little") for word in sent]
    assert decode(read, sent) is None


@given(
    st.lists(st.floats(65_536, 1_000_000, width=32), min_size=2, max_size=50).map(sorted),
    st.sampled_from(["eastron_sdm630", "chint_dtsu666", "fineco_em115_do"]),
)
def test_r14_float32_deltas_sum_to_last_minus_first(register_kwh: list[float], code: str) -> None:
    """A float32 above 65,536 kWh steps by 8 Wh and more: nothing is lost or invented by it."""
    point = PROFILES[code].points[ENERGY]
    shown = [_read_f32(point, kwh) for kwh in register_kwh]
    assert [Fraction(kwh) * 1000 for kwh in register_kwh] == shown
    stored_wh = [whole(value) for value in shown]
    deltas = [after - before for before, after in pairwise(stored_wh)]
    assert min(deltas) >= 0
    assert sum(deltas) == stored_wh[-1] - stored_wh[0]
    assert 0 <= shown[-1] - stored_wh[-1] < 1


def _read_f32(point: Point, kwh: float) -> Fraction:
    value = decode(point, struct.unpack(">HH", struct.pack(">f", kwh)))
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(5), "5"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(471449625, 2048), "230200.01220703125"),
        (Fraction(1, 3), "1/3"),
        (Fraction(10**20), "100000000000000000000"),
    ],
)
def test_exact_values_are_written_exactly(value: Fraction, text: str) -> None:
    assert text_of(value) == text


def test_what_is_uncertain_is_told_apart() -> None:
    certain = {code for code, profile in PROFILES.items() if profile.is_certain}
    assert {"eastron_sdm120", "acrel_dtsd1352", "hiking_dds238_2_znsr"} <= certain
    for code in ("pzem_016", "chint_ddsu666", "eastron_sdm320c", "schneider_iem3000"):
        assert code not in certain, code
