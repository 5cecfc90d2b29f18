"""The life of a payment. It only moves forward:

    created → pending → settled | failed | expired        settled → reversed

`outcome_unknown` stands beside `pending` for an order whose provider did not answer. A reversal
heard before its settlement ends in `reversed` at once, and the late confirmation is recorded
without effect. Anything that contradicts a final state is for a person to look at.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class State(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SETTLED = "settled"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Fact(StrEnum):
    """What may be learnt of a payment."""

    OPENED = "opened"
    UNANSWERED = "unanswered"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Verdict(StrEnum):
    MOVES = "moves"
    REPEATS = "repeats"
    CONTRADICTS = "contradicts"


@dataclass(frozen=True, slots=True)
class Step:
    """What a fact does to a payment: its state afterwards, and how that came."""

    verdict: Verdict
    state: State


UNFINISHED = frozenset({State.CREATED, State.PENDING, State.OUTCOME_UNKNOWN})

_ENDS = {
    Fact.SUCCEEDED: State.SETTLED,
    Fact.FAILED: State.FAILED,
    Fact.EXPIRED: State.EXPIRED,
    Fact.REVERSED: State.REVERSED,
}
_OPENING = {
    (State.CREATED, Fact.OPENED): State.PENDING,
    (State.CREATED, Fact.UNANSWERED): State.OUTCOME_UNKNOWN,
    (State.OUTCOME_UNKNOWN, Fact.OPENED): State.PENDING,
}
_SAID_BEFORE = {
    State.SETTLED: {Fact.SUCCEEDED},
    State.FAILED: {Fact.FAILED, Fact.EXPIRED},
    State.EXPIRED: {Fact.FAILED, Fact.EXPIRED},
    State.REVERSED: {Fact.REVERSED, Fact.SUCCEEDED},
}
_NEVER_NEWS = {Fact.OPENED, Fact.UNANSWERED}


def step(state: State, fact: Fact) -> Step:
    """Where `fact` takes a payment in `state`."""
    if state in UNFINISHED:
        target = _ENDS.get(fact) or _OPENING.get((state, fact))
        return Step(Verdict.MOVES, target) if target else Step(Verdict.REPEATS, state)
    if state is State.SETTLED and fact is Fact.REVERSED:
        return Step(Verdict.MOVES, State.REVERSED)
    if fact in _NEVER_NEWS or fact in _SAID_BEFORE[state]:
        return Step(Verdict.REPEATS, state)
    return Step(Verdict.CONTRADICTS, state)


_QUERY_DELAYS = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 900, 3600))


def query_delay(queries_made: int) -> timedelta:
    """Wall time to the next question to a provider that has not told us an outcome."""
    return _QUERY_DELAYS[min(queries_made, len(_QUERY_DELAYS) - 1)]
