"""Acceptance scenarios of what a meter's numbers may look like."""

import struct
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.register_states import QUARTER_S, register_state, verdict_of

from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.point import ENERGY, Order, Point
from npms_meter_gateway.domain.validation import RegisterState, Verdict
from npms_meter_gateway.profiles import load_profiles

MODULUS_WH = 100_000_000
"""Five digits and two decimals of a kWh, counted to the Wh times ten."""
STEP_WH = 10
MOST_WH = 9_200 * (QUARTER_S + 60) // 3000
"""What the fuse lets through in a quarter of an hour, with a fifth added, clocks a minute apart."""


def counting(register_wh: int) -> RegisterState:
    return register_state(register_wh=register_wh, resolution_wh=STEP_WH, rollover_wh=MODULUS_WH)


@pytest.mark.parametrize(
    ("before_wh", "shown_wh", "verdict"),
    [
        (MODULUS_WH - STEP_WH, 0, Verdict.ACCEPTED),
        (MODULUS_WH - STEP_WH, MOST_WH - STEP_WH, Verdict.ACCEPTED),
        (MODULUS_WH - STEP_WH, MOST_WH - STEP_WH + 1, Verdict.JUMP),
        (50_000_000, 0, Verdict.BACKWARDS),
        (50_000_000, 50_000_000 - 2 * STEP_WH, Verdict.UNCHANGED),
        (50_000_000, 50_000_000 - 2 * STEP_WH - 1, Verdict.BACKWARDS),
        (50_000_000, 50_000_000 + MOST_WH, Verdict.ACCEPTED),
        (50_000_000, 50_000_000 + MOST_WH + 1, Verdict.JUMP),
    ],
)
def test_r6_a_rollover_is_known_from_a_register_that_fell_to_the_unit(
    before_wh: int, shown_wh: int, verdict: Verdict
) -> None:
    known = counting(before_wh)
    assert verdict_of(known, shown_wh) is verdict
    if verdict is Verdict.ACCEPTED:
        rolled = MODULUS_WH if shown_wh < before_wh else 0
        assert known.register_wh == shown_wh + rolled


FAR_APART = 1000
ENERGY_POINTS = [
    profile.points[ENERGY]
    for profile in load_profiles().values()
    if profile.driver == "modbus" and profile.points[ENERGY].type.registers > 1
]


@given(
    st.sampled_from(ENERGY_POINTS),
    st.integers(100_000, 2**31 - 1),
    st.integers(0, MOST_WH),
)
def test_r10_a_wrong_word_order_is_never_billed(point: Point, true_wh: int, moved_wh: int) -> None:
    """Two words far enough apart make a number that no fuse lets through, or one that fell."""
    words = _words(point, Fraction(true_wh) / point.scale)
    assume(abs(words[0] - words[-1]) > FAR_APART)
    shown = decode(point, words)
    crossed = decode(
        replace(point, order=Order.ABCD if point.order is Order.CDAB else Order.CDAB), words
    )
    assert shown is not None
    known = replace(counting(max(0, whole(shown) - moved_wh)), resolution_wh=1, rollover_wh=None)
    assert verdict_of(replace(known), whole(shown)) is Verdict.ACCEPTED
    if crossed is not None:
        before = replace(known)
        assert verdict_of(known, whole(crossed)) is not Verdict.ACCEPTED
        assert known == before


def _words(point: Point, raw: Fraction) -> list[int]:
    form = {"u32": ">I", "s32": ">i", "f32": ">f", "u64": ">Q", "s64": ">q", "f64": ">d"}
    packed = struct.pack(
        form[point.type.value], float(raw) if point.type.value[0] == "f" else int(raw) % 2**31
    )
    words = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    return words[::-1] if point.order is Order.CDAB else words
