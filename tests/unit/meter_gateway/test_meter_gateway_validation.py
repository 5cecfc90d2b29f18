from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.register_states import T0, register_state, verdict_of
from tests.support.register_states import U32_OF_10_WH as U32_WH

from npms_meter_gateway.domain.validation import (
    RegisterState,
    ValidatedReadings,
    Verdict,
    validate_readings,
)


def verdict_at(
    known: RegisterState, at_s: int, register_wh: int, latest_s: int = T0 + 10**6
) -> Verdict:
    return verdict_of(known, register_wh, after_s=at_s - known.at_s, latest_s=latest_s)


def test_a_plausible_reading_moves_the_state() -> None:
    known = register_state()
    validated = validate_readings(
        [1], [T0 + 900], [1_000_400], register_states={1: known}, latest_s=T0 + 900
    )
    assert validated == ValidatedReadings(accepted={3: ([1], [10], [T0 + 900], [1_000_400])})
    assert (known.at_s, known.register_wh) == (T0 + 900, 1_000_400)


@pytest.mark.parametrize(
    ("at_s", "register_wh", "verdict"),
    [
        (T0 + 900, 1_000_000, Verdict.ACCEPTED),
        (T0 + 900, 999_990, Verdict.UNCHANGED),
        (T0 + 900, 999_980, Verdict.UNCHANGED),
        (T0 + 900, 999_979, Verdict.BACKWARDS),
        (T0 + 900, 0, Verdict.BACKWARDS),
        (T0 + 3540, 1_000_000 + 11_040, Verdict.ACCEPTED),
        (T0 + 3540, 1_000_000 + 11_041, Verdict.JUMP),
        (T0 + 900, 10_113_000, Verdict.JUMP),
        (T0, 1_000_000, Verdict.DUPLICATE),
        (T0, 1_000_010, Verdict.CONFLICT),
        (T0 - 1, 1_000_000, Verdict.LATE),
        (T0 + 10**6 + 1, 1_000_400, Verdict.FUTURE),
        (T0 + 900, -1, Verdict.OUT_OF_RANGE),
        (T0 + 900, 1 << 63, Verdict.OUT_OF_RANGE),
    ],
)
def test_verdicts(at_s: int, register_wh: int, verdict: Verdict) -> None:
    known = register_state(rollover_wh=None)
    before = replace(known)
    assert verdict_at(known, at_s, register_wh) is verdict
    if verdict is not Verdict.ACCEPTED:
        assert known == before


def test_unknown_and_closed_installations_are_parked() -> None:
    validated = validate_readings([2], [T0], [1], register_states={}, latest_s=T0)
    assert validated.others == {0: Verdict.UNKNOWN_INSTALLATION}
    assert verdict_at(register_state(closed=True), T0 + 900, 1_000_400) is Verdict.CLOSED


def test_the_opening_register_may_have_been_noted_an_hour_before() -> None:
    fresh = register_state(has_readings=False)
    assert verdict_at(fresh, T0 + 1, 1_000_000 + 11_000) is Verdict.ACCEPTED
    assert verdict_at(register_state(), T0 + 1, 1_000_000 + 11_000) is Verdict.JUMP


def test_a_reading_in_the_second_of_the_opening_is_nothing_new() -> None:
    assert verdict_at(register_state(has_readings=False), T0, 1_000_000) is Verdict.UNCHANGED


def test_a_rollover_is_unrolled_exactly() -> None:
    known = register_state(register_wh=U32_WH - 10)
    assert verdict_at(known, T0 + 900, 20) is Verdict.ACCEPTED
    assert known.register_wh == U32_WH + 20
    assert verdict_at(known, T0 + 1800, 120) is Verdict.ACCEPTED
    assert known.register_wh == U32_WH + 120
    assert verdict_at(known, T0 + 2700, 110) is Verdict.UNCHANGED
    assert verdict_at(known, T0 + 2700, 60) is Verdict.BACKWARDS


def test_a_reset_is_no_rollover() -> None:
    assert verdict_at(register_state(register_wh=U32_WH // 2), T0 + 900, 0) is Verdict.BACKWARDS
    assert (
        verdict_at(register_state(register_wh=U32_WH - 10), T0 + 900, U32_WH // 2)
        is Verdict.BACKWARDS
    )
    assert verdict_at(register_state(register_wh=U32_WH - 10), T0 + 900, 100_000) is Verdict.JUMP


def test_a_jump_is_believed_once_enough_time_has_passed() -> None:
    known = register_state(rollover_wh=None)
    assert verdict_at(known, T0 + 900, 1_100_000) is Verdict.JUMP
    assert verdict_at(known, T0 + 36_000, 1_100_000) is Verdict.ACCEPTED


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(-2000, 7200), st.integers(-500, 30_000)), max_size=60
)


@given(STEPS, st.integers(1, 60))
def test_what_is_accepted_never_falls_and_does_not_depend_on_batches(
    steps: list[tuple[int, int, int]], cut: int
) -> None:
    ids, times, registers = [], [], []
    at_s, register_wh = T0, 1_000_000
    for installation_id, took_s, moved_wh in steps:
        at_s, register_wh = at_s + took_s, max(0, register_wh + moved_wh)
        ids.append(installation_id)
        times.append(at_s)
        registers.append(register_wh)

    def run(
        size: int,
    ) -> tuple[list[tuple[int, int, int]], dict[int, Verdict], dict[int, RegisterState]]:
        register_states = {i: register_state(installation_id=i, partition=0) for i in (1, 2)}
        accepted, others = [], {}
        for start in range(0, len(ids), size):
            part = slice(start, start + size)
            validated = validate_readings(
                ids[part],
                times[part],
                registers[part],
                register_states=register_states,
                latest_s=T0 + 10**9,
            )
            for columns in validated.accepted.values():
                accepted += list(zip(columns[0], columns[2], columns[3], strict=True))
            others |= {start + index: verdict for index, verdict in validated.others.items()}
        return accepted, others, register_states

    accepted, others, register_states = run(cut)
    assert (accepted, others, register_states) == run(10**6)
    assert len(accepted) + len(others) == len(ids)
    for installation_id, last in register_states.items():
        mine = [(at, wh) for i, at, wh in accepted if i == installation_id]
        assert mine == sorted(mine)
        assert len({at for at, _ in mine}) == len(mine)
        deltas = [b[1] - a[1] for a, b in zip([(T0, 1_000_000), *mine], mine, strict=False)]
        assert all(delta >= 0 for delta in deltas)
        assert 1_000_000 + sum(deltas) == last.register_wh
    assert all(v is Verdict.UNKNOWN_INSTALLATION for i, v in others.items() if ids[i] == 3)
