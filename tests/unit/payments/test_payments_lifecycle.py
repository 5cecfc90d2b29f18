from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.lifecycle import (
    UNFINISHED,
    Fact,
    State,
    Verdict,
    query_delay,
    step,
)

RANK = {
    State.CREATED: 0,
    State.OUTCOME_UNKNOWN: 1,
    State.PENDING: 2,
    State.FAILED: 3,
    State.EXPIRED: 3,
    State.SETTLED: 3,
    State.REVERSED: 4,
}
facts = st.lists(st.sampled_from(Fact), max_size=12)


@given(facts)
def test_whatever_is_heard_it_only_moves_forward(heard: list[Fact]) -> None:
    state = State.CREATED
    for fact in heard:
        after = step(state, fact)
        moved = after.state is not state
        assert moved == (after.verdict is Verdict.MOVES)
        assert not moved or RANK[after.state] > RANK[state]
        state = after.state


@given(facts, st.sampled_from(Fact))
def test_hearing_a_fact_again_changes_nothing(heard: list[Fact], fact: Fact) -> None:
    state = State.CREATED
    for earlier in heard:
        state = step(state, earlier).state
    once = step(state, fact).state
    assert step(once, fact).state is once
    assert step(once, fact).verdict is not Verdict.MOVES


@given(facts)
def test_money_settles_at_most_once(heard: list[Fact]) -> None:
    states = [State.CREATED]
    for fact in heard:
        states.append(step(states[-1], fact).state)
    settled = sum(
        after is State.SETTLED and before is not State.SETTLED for before, after in pairwise(states)
    )
    assert settled <= 1


@pytest.mark.parametrize("state", sorted(UNFINISHED))
@pytest.mark.parametrize(
    ("fact", "end"),
    [
        (Fact.SUCCEEDED, State.SETTLED),
        (Fact.FAILED, State.FAILED),
        (Fact.EXPIRED, State.EXPIRED),
        (Fact.REVERSED, State.REVERSED),
    ],
)
def test_an_unfinished_payment_can_end_every_way(state: State, fact: Fact, end: State) -> None:
    assert step(state, fact).state is end


@pytest.mark.parametrize(
    ("state", "fact"),
    [
        (State.SETTLED, Fact.FAILED),
        (State.SETTLED, Fact.EXPIRED),
        (State.FAILED, Fact.SUCCEEDED),
        (State.EXPIRED, Fact.SUCCEEDED),
        (State.FAILED, Fact.REVERSED),
        (State.REVERSED, Fact.FAILED),
    ],
)
def test_contradictions_are_named(state: State, fact: Fact) -> None:
    assert step(state, fact).verdict is Verdict.CONTRADICTS


def test_a_confirmation_after_the_reversal_is_recorded_without_effect() -> None:
    reversed_first = step(State.PENDING, Fact.REVERSED).state
    late = step(reversed_first, Fact.SUCCEEDED)
    assert (late.verdict, late.state) == (Verdict.REPEATS, State.REVERSED)


@given(st.integers(0, 100))
def test_questions_to_the_provider_grow_rarer(made: int) -> None:
    assert timedelta(0) < query_delay(made) <= query_delay(made + 1) <= timedelta(hours=1)
