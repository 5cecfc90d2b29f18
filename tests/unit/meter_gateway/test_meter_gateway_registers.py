"""From what meters show to registers that never fall: rollover, reset, jitter, spike, ratio."""

import struct
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.register_states import (
    QUARTER_S,
    T0,
    U32_OF_10_WH,
    register_state,
    verdict_of,
)

from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.held import Neighbours, Unfit, correct, estimate, release
from npms_meter_gateway.domain.profile import ENERGY
from npms_meter_gateway.domain.reckoning import PLAIN, Reckoning, shown, unrolled
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.storage.reckonings import exact

SIX_DIGITS_WH = 100_000_000
EIGHT_DIGITS_WH = 100_000_000_000


@pytest.mark.parametrize(
    ("modulus_wh", "resolution_wh", "last_shown", "then_shown"),
    [
        (U32_OF_10_WH, 10, 42_949_672_950, 130),
        (SIX_DIGITS_WH, 100, 99_999_900, 200),
        (EIGHT_DIGITS_WH, 1000, 99_999_999_000, 1000),
    ],
)
@pytest.mark.parametrize("turns", [0, 1, 7])
def test_r1_a_rollover_is_counted_on_exactly(
    modulus_wh: int, resolution_wh: int, last_shown: int, then_shown: int, turns: int
) -> None:
    known = register_state(
        register_wh=turns * modulus_wh + last_shown,
        rollover_wh=modulus_wh,
        resolution_wh=resolution_wh,
    )
    before_wh = known.register_wh
    assert verdict_of(known, then_shown) is Verdict.ACCEPTED
    assert known.register_wh - before_wh == modulus_wh - last_shown + then_shown > 0
    assert shown(known.register_wh, modulus_wh) == then_shown


def test_r1_the_modulus_is_the_profile_s() -> None:
    moduli = {p.code: p.rollover_wh for p in load_profiles().values() if p.rollover_wh}
    assert moduli["hiking_dds238_2_znsr"] == U32_OF_10_WH
    for modulus_wh in moduli.values():
        known = register_state(
            register_wh=modulus_wh - 1000, rollover_wh=modulus_wh, resolution_wh=1
        )
        assert verdict_of(known, 500) is Verdict.ACCEPTED
        assert known.register_wh == modulus_wh + 500


@pytest.mark.parametrize(
    ("last_wh", "shown_wh", "verdict"),
    [
        (89_999_900, 0, Verdict.BACKWARDS),
        (90_000_100, 0, Verdict.JUMP),
        (99_999_900, 2900, Verdict.JUMP),
        (99_999_900, 2800, Verdict.ACCEPTED),
        (99_999_900, 9_999_900, Verdict.BACKWARDS),
    ],
)
def test_r2_a_fall_is_a_rollover_only_near_the_end_and_within_the_fuse(
    last_wh: int, shown_wh: int, verdict: Verdict
) -> None:
    known = register_state(register_wh=last_wh, rollover_wh=SIX_DIGITS_WH, resolution_wh=100)
    before = replace(known)
    assert verdict_of(known, shown_wh) is verdict
    assert (known == before) is (verdict is not Verdict.ACCEPTED)


def test_r3_nothing_of_a_foreign_meter_is_believed() -> None:
    known = register_state(is_foreign=True)
    before = replace(known)
    for shown_wh in (1_000_000, 1_000_100, 5):
        assert verdict_of(known, shown_wh) is Verdict.FOREIGN_METER
    assert known == before


def test_r5_a_step_back_is_jitter_no_reset() -> None:
    """20292.8 and then 20292.7 kWh."""
    known = register_state(register_wh=20_292_800, resolution_wh=100)
    assert verdict_of(known, 20_292_700) is Verdict.UNCHANGED
    assert known.register_wh == 20_292_800
    assert verdict_of(known, 20_292_500) is Verdict.BACKWARDS
    assert verdict_of(known, 20_292_900) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("fuse_a", "voltage_v", "phases"), [(40, 230, 1), (40, 230, 3), (63, 400, 3)]
)
def test_r6_more_than_the_fuse_lets_through_is_a_spike(
    fuse_a: int, voltage_v: int, phases: int
) -> None:
    """1.2 times fuse x voltage x phases x time, a minute of clocks added; 9113 kWh never pass."""
    power_w = fuse_a * voltage_v * phases
    most_wh = power_w * 12 * (3600 + 60) // 36_000
    assert verdict_of(register_state(max_power_w=power_w), 10_113_000, after_s=3600) is Verdict.JUMP
    assert (
        verdict_of(register_state(max_power_w=power_w), 1_000_000 + most_wh, after_s=3600)
        is Verdict.ACCEPTED
    )
    above = 1_000_000 + most_wh + 1
    assert verdict_of(register_state(max_power_w=power_w), above, after_s=3600) is Verdict.JUMP


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0xFF800000, 0xFFC00000])
def test_r7_what_is_no_number_is_not_available_and_never_zero(bits: int) -> None:
    point = load_profiles()["eastron_sdm120"].points[ENERGY]
    assert decode(point, [bits >> 16, bits & 0xFFFF]) is None
    nothing = replace(point, invalid=frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0x80000000}))
    for pattern in nothing.invalid:
        assert decode(nothing, [pattern >> 16, pattern & 0xFFFF]) is None


RATIOS = st.builds(Fraction, st.integers(1_000, 10**7), st.just(1000))


@given(RATIOS, st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**9))
def test_r9_a_ratio_multiplies_exactly_and_every_register_tells_its_raw_one(
    ratio: Fraction, raw_wh: int, base_wh: int, moved_wh: int
) -> None:
    reckoning = Reckoning(raw_wh, base_wh, ratio)
    register_wh = reckoning.validated(raw_wh + moved_wh)
    exactly = base_wh + moved_wh * ratio
    assert 0 <= exactly - register_wh < 1
    assert reckoning.raw(register_wh) == raw_wh + moved_wh


@given(
    st.lists(
        st.tuples(RATIOS, st.lists(st.integers(0, 2000), min_size=1, max_size=8)),
        min_size=1,
        max_size=5,
    )
)
def test_r9_a_change_of_ratio_cuts_the_interval_exactly(
    stretches: list[tuple[Fraction, list[int]]],
) -> None:
    """What is counted is the sum, over the stretches, of raw difference x ratio, cut to the Wh."""
    known = register_state(max_power_w=10**12, rollover_wh=None)
    raw_wh, expected_wh = 1_000_000, 1_000_000
    for ratio, moves in stretches:
        known = replace(known, reckoning=Reckoning(raw_wh, known.register_wh, ratio))
        for moved_wh in moves:
            raw_wh += moved_wh
            assert verdict_of(known, raw_wh) is Verdict.ACCEPTED
        expected_wh += sum(moves) * ratio.numerator // ratio.denominator
        assert known.register_wh == expected_wh


def test_r9_rollover_jitter_and_spike_are_judged_by_what_the_meter_shows() -> None:
    reckoning = Reckoning(SIX_DIGITS_WH - 1000, 5_000_000, Fraction(40))
    known = register_state(
        register_wh=5_000_000,
        max_power_w=400_000,
        resolution_wh=100,
        rollover_wh=SIX_DIGITS_WH,
        reckoning=reckoning,
    )
    assert verdict_of(known, SIX_DIGITS_WH - 1200) is Verdict.UNCHANGED
    assert verdict_of(known, SIX_DIGITS_WH - 1300) is Verdict.BACKWARDS
    assert verdict_of(known, 200) is Verdict.ACCEPTED
    assert known.register_wh == 5_000_000 + 1200 * 40
    assert verdict_of(known, 5_000) is Verdict.JUMP


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("40", Fraction(40)), ("7.5", Fraction(15, 2)), ("1.000001", Fraction("1.000001"))],
)
def test_r9_ratios_are_kept_as_exact_decimals(text: str, fraction: Fraction) -> None:
    assert exact(fraction) == text


@pytest.mark.parametrize("ratio", [Fraction(0), Fraction(1, 2), Fraction(-3), Fraction(10**7)])
def test_r9_a_ratio_that_hides_the_raw_register_is_refused(ratio: Fraction) -> None:
    with pytest.raises(ValueError, match="a ratio is from 1"):
        Reckoning(0, 0, ratio)


def test_r10_the_same_again_is_nothing_new_and_another_register_a_conflict() -> None:
    known = register_state()
    assert verdict_of(known, 1_000_000, after_s=0) is Verdict.DUPLICATE
    assert verdict_of(known, 1_000_010, after_s=0) is Verdict.CONFLICT
    assert known.register_wh == 1_000_000


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.integers(66_000, 900_000))
def test_r14_float32_registers_sum_to_last_minus_first(moves: list[int], start_kwh: int) -> None:
    """Above 65,536 kWh one step is 7.8 Wh and more; no Wh is lost or made by it."""
    point = load_profiles()["eastron_sdm120"].points[ENERGY]

    def seen(kwh: Fraction) -> int:
        (bits,) = struct.unpack(">I", struct.pack(">f", float(kwh)))
        value = decode(point, [bits >> 16, bits & 0xFFFF])
        assert value is not None
        return whole(value)

    true_kwh = Fraction(start_kwh)
    first_wh = seen(true_kwh)
    known = register_state(register_wh=first_wh, rollover_wh=None, resolution_wh=100)
    deltas = []
    for moved_wh in moves:
        true_kwh += Fraction(moved_wh, 1000)
        before_wh = known.register_wh
        assert verdict_of(known, seen(true_kwh)) is Verdict.ACCEPTED
        deltas.append(known.register_wh - before_wh)
    assert min(deltas) >= 0
    assert sum(deltas) == seen(true_kwh) - first_wh


NEAR = Neighbours(before=(T0, 1_000_000), after=None)


def test_a_released_fall_goes_on_from_the_last_good_register() -> None:
    settled = release(
        register_state(), NEAR, PLAIN, at_s=T0 + 900, shown_wh=25, latest_s=T0 + 10**6
    )
    assert (settled.register_wh, settled.reckoning) == (1_000_000, Reckoning(25, 1_000_000))


@pytest.mark.parametrize(
    ("near", "at_s", "register_wh", "code"),
    [
        (NEAR, T0 + 900, 999_999, "does_not_fit"),
        (Neighbours((T0, 1_000_000), (T0 + 99, 1_000_005)), T0 + 9, 1_000_006, "does_not_fit"),
        (Neighbours((T0, 1_000_000), None, (T0 + 9, 7)), T0 + 9, 1_000_000, "moment_taken"),
        (NEAR, T0 + 10**7, 1_000_000, "in_future"),
        (NEAR, T0, 1_000_000, "before_opening"),
    ],
)
def test_a_decision_must_fit_what_is_accepted(
    near: Neighbours, at_s: int, register_wh: int, code: str
) -> None:
    with pytest.raises(Unfit) as refused:
        correct(
            register_state(),
            near,
            PLAIN,
            at_s=at_s,
            shown_wh=register_wh,
            register_wh=register_wh,
            counts_on=False,
            latest_s=T0 + 10**6,
        )
    assert refused.value.code == code


def test_r4_an_estimate_follows_the_pace_of_the_week_before() -> None:
    past = [(T0, 1_000_000), (T0 + 36_000, 1_005_000)]
    assert estimate(past, at_s=T0 + 72_000) == 1_010_000
    assert estimate(past, at_s=T0 + 72_000, ceiling_wh=1_007_000) == 1_007_000
    assert estimate(past[:1], at_s=T0 + 72_000) is None


class Counting(RuleBasedStateMachine):
    """A meter with a small modulus, its transformers, and what people decide, against a sum kept
    beside it."""

    MODULUS_WH = 100_000

    def __init__(self) -> None:
        super().__init__()
        self.known = register_state(
            register_wh=50_000,
            rollover_wh=self.MODULUS_WH,
            max_power_w=120_000,
            resolution_wh=1,
            reckoning=Reckoning(50_000, 50_000, Fraction(1)),
        )
        self.display_wh = 50_000
        self.expected_wh = Fraction(50_000)
        self.registers = [50_000]
        self.fallen = False

    def _count(self, moved_wh: int) -> None:
        self.display_wh = (self.display_wh + moved_wh) % self.MODULUS_WH
        self.expected_wh += moved_wh * self.known.reckoning.ratio

    @precondition(lambda self: not self.fallen)
    @rule(moved_wh=st.integers(0, 900))
    def read(self, moved_wh: int) -> None:
        self._count(moved_wh)
        assert verdict_of(self.known, self.display_wh) is Verdict.ACCEPTED
        self.registers.append(self.known.register_wh)

    @precondition(lambda self: not self.fallen)
    @rule(above_wh=st.integers(50_000, 80_000))
    def spike(self, above_wh: int) -> None:
        """Whatever is shown once, the next good reading goes on as if it had not been."""
        before = replace(self.known)
        shown_wh = (self.display_wh + above_wh) % self.MODULUS_WH
        assert verdict_of(self.known, shown_wh) not in {Verdict.ACCEPTED, Verdict.UNCHANGED}
        assert self.known == before

    @rule()
    def again(self) -> None:
        before = replace(self.known)
        verdict = verdict_of(self.known, self.display_wh, after_s=0)
        assert verdict is (Verdict.CONFLICT if self.fallen else Verdict.DUPLICATE)
        assert self.known == before

    @precondition(lambda self: not self.fallen)
    @rule(ratio=st.sampled_from([Fraction(1), Fraction(15, 2), Fraction(40)]))
    def change_ratio(self, ratio: Fraction) -> None:
        raw_wh = self.known.reckoning.raw(self.known.register_wh)
        self._begin(Reckoning(raw_wh, self.known.register_wh, ratio))

    @precondition(lambda self: not self.fallen and 5_000 < self.display_wh < 80_000)
    @rule(position_wh=st.integers(0, 2_000))
    def clear(self, position_wh: int) -> None:
        """Somebody clears the counter."""
        before = replace(self.known)
        self.display_wh = position_wh
        assert verdict_of(self.known, position_wh) is Verdict.BACKWARDS
        assert self.known == before
        self.fallen = True

    @precondition(lambda self: self.fallen)
    @rule(lost_wh=st.none() | st.integers(0, 3_000))
    def decide(self, lost_wh: int | None) -> None:
        """Released as shown, or corrected by what is known to be lost."""
        near = Neighbours((self.known.at_s, self.known.register_wh), None)
        at_s, latest_s = self.known.at_s + QUARTER_S, T0 + 10**9
        if lost_wh is None:
            settled = release(
                self.known, near, self.known.reckoning, at_s=at_s, shown_wh=self.display_wh,
                latest_s=latest_s,
            )  # fmt: skip
        else:
            settled = correct(
                self.known, near, self.known.reckoning, at_s=at_s, shown_wh=self.display_wh,
                register_wh=self.known.register_wh + lost_wh, counts_on=True, latest_s=latest_s,
            )  # fmt: skip
        assert settled.reckoning is not None
        self.known = replace(self.known, at_s=at_s, register_wh=settled.register_wh)
        self._begin(settled.reckoning)
        self.expected_wh = Fraction(settled.register_wh)
        self.registers.append(settled.register_wh)
        self.fallen = False

    def _begin(self, reckoning: Reckoning) -> None:
        self.known = replace(self.known, reckoning=reckoning)
        self.expected_wh = Fraction(self.known.register_wh)

    @invariant()
    def registers_never_fall(self) -> None:
        assert self.registers == sorted(self.registers)

    @invariant()
    def nothing_is_lost_or_made(self) -> None:
        assert 0 <= self.expected_wh - self.known.register_wh < 1

    @invariant()
    def the_raw_register_is_told(self) -> None:
        if not self.fallen:
            raw_wh = self.known.reckoning.raw(self.known.register_wh)
            assert shown(raw_wh, self.MODULUS_WH) == self.display_wh
            assert unrolled(self.display_wh, raw_wh, self.MODULUS_WH, jitter_wh=2) == raw_wh


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
