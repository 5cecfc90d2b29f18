from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.decoding import decode
from npms_meter_gateway.domain.planning import Spot, plan, split, spots_of
from npms_meter_gateway.domain.profile import ENERGY, LOAD_LIMIT, RELAY, Profile, ProfileError
from npms_meter_gateway.polling.unit import POLLED
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import load_profile, parse_profile
from npms_tools.street.register_map import load_map

PROFILES = load_profiles()


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
    assert kinds == {"fc16_register", "fc5_coil"}
    assert len(PROFILES) >= 10


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_every_profile_reads_back_what_its_meter_shows(profile: Profile) -> None:
    register_map = load_map(profile.code)
    for slot in register_map.slots:
        point = profile.points[slot.name]
        shown = point.scale * 1234
        assert decode(point, slot.encode(shown)) == shown, slot.name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_every_plan_covers_its_spots_inside_the_limits(profile: Profile) -> None:
    spots = spots_of(profile, {*profile.points, RELAY, LOAD_LIMIT})
    blocks = plan(set(spots), profile.limits)
    covered = {spot for block in blocks for spot in block.spots}
    assert covered == set(spots)
    for block in blocks:
        assert block.count <= profile.limits.max_read
        if profile.limits.even and block.table != "coil":
            assert block.address % 2 == block.count % 2 == 0
        for spot in block.spots:
            assert block.address <= spot.address
            assert spot.address + spot.count <= block.address + block.count


def test_one_read_brings_everything_of_the_hiking_relay_meter() -> None:
    profile = PROFILES["hiking_dds238_2_znsr"]
    blocks = plan(spots_of(profile, POLLED), profile.limits)
    assert [(b.address, b.count) for b in blocks] == [(0x0A, 17)]
    assert all(len(part.spots) == 1 for part in split(blocks[0], profile.limits))


@given(st.sets(st.integers(0, 400), min_size=1, max_size=40), st.integers(0, 30), st.booleans())
def test_plans_keep_to_holes_and_lengths(addresses: set[int], hole: int, even: bool) -> None:  # noqa: FBT001
    data = minimal(
        limits={"max_read": 40, "max_hole": hole, "even": even},
        points={ENERGY: {"table": "holding", "address": 2, "type": "u32", "scale": "10"}},
    )
    limits = parse_profile(data, name="t").limits
    spots = [Spot(str(a), "input", a * 2, 2) for a in addresses]
    blocks = plan(spots, limits)
    assert sorted(s.address for b in blocks for s in b.spots) == sorted(s.address for s in spots)
    for block in blocks:
        assert block.count <= 40
        inside = sorted(block.spots, key=lambda s: s.address)
        for before, after in pairwise(inside):
            assert after.address - (before.address + before.count) <= hole


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
