"""The five ways by which relays are moved, as the street's meters understand them."""

import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from npms_shared.clock import ManualClock
from npms_tools.street.device import execute
from npms_tools.street.meter import Meter
from npms_tools.street.street import Plan, build_street

BACK = {"table": "input", "address": 0x566, "value_on": 0x5555, "value_off": 0xAAAA}
KEYED = {
    "kind": "fc16_keyed", "address": 0x566, "value_on": 0x5555, "value_off": 0xAAAA,
    "key": "fineco", "read_back": BACK,
}  # fmt: skip
TIMED = {"kind": "fc16_timed", "address": 0xA7, "read_back": "power"}
BUTTON = {
    "kind": "fc16_register", "address": 0x10, "local_reclose": True,
    "read_back": {
        "table": "holding", "address": 0x10, "value_on": 1, "value_off": 0, "value_armed": 2,
    },
    "fault": {"table": "holding", "address": 0x20, "value": 1},
}  # fmt: skip


def meter(relay: dict[str, object]) -> Meter:
    plan = Plan(meters=1, gateways=1, profiles=("npms_street_limiter",))
    one = build_street(plan, ManualClock(datetime(2026, 3, 2, tzinfo=UTC))).meters["SIM00001"]
    one.map = replace(one.map, relay=relay, load_limit=None)
    one.contact.needs_button = bool(relay.get("local_reclose"))
    return one


def write(one: Meter, address: int, *words: int) -> None:
    count = len(words)
    execute(one, struct.pack(f">BHHB{count}H", 16, address, count, 2 * count, *words))


def word(one: Meter, function: int, address: int) -> int:
    return int.from_bytes(execute(one, struct.pack(">BHH", function, address, 1))[2:], "big")


def test_a_key_opens_and_a_wrong_one_is_acknowledged_in_vain() -> None:
    one = meter(KEYED)
    one.seed = 0x12345678
    key = (0x12 + 0x123456) & 0x1234
    write(one, 0x566, key ^ 4, 0xAAAA)
    assert word(one, 4, 0x566) == 0x5555
    write(one, 0x566, key, 0xAAAA)
    assert word(one, 4, 0x566) == 0xAAAA
    write(one, 0x566, key, 0x5555)
    assert one.relay_on


def test_seconds_to_stay_open() -> None:
    one = meter(TIMED)
    write(one, 0xA7, 0, 90)
    assert not one.relay_on
    one.advance(one.at_ms + 91_000)
    assert one.relay_on
    write(one, 0xA7, 0xFFFF, 0xFFFF)
    one.advance(one.at_ms + 10**9)
    assert not one.relay_on
    write(one, 0xA7, 0, 0)
    assert one.relay_on


def test_armed_is_read_as_its_own_value_until_the_button_is_pressed() -> None:
    one = meter(BUTTON)
    write(one, 0x10, 0)
    assert word(one, 3, 0x10) == 0
    write(one, 0x10, 1)
    assert word(one, 3, 0x10) == 2
    one.contact.press_button()
    assert word(one, 3, 0x10) == 1


def test_a_relay_that_cannot_open_says_so_where_it_has_a_register_for_it() -> None:
    one = meter(BUTTON)
    assert word(one, 3, 0x20) == 0
    one.faults.welded = -1
    assert word(one, 3, 0x20) == 1


@pytest.mark.parametrize("relay", [KEYED, TIMED])
def test_one_register_is_too_few_for_two(relay: dict[str, object]) -> None:
    with pytest.raises(Exception, match="3"):
        write(meter(relay), int(str(relay["address"])), 0)
