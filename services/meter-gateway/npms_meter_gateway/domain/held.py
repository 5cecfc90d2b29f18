"""What may become of a reading that was not believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from npms_meter_gateway.domain.reckoning import Reckoning, unrolled
from npms_meter_gateway.domain.validation import (
    JITTER_STEPS,
    MAX_REGISTER_WH,
    RegisterState,
    Verdict,
)

State = Literal["held", "released", "corrected", "rejected", "superseded"]
UNDECIDED = frozenset({"held", "superseded"})
"""A person may decide otherwise than time did."""
HARMLESS_LATER = frozenset({Verdict.JUMP, Verdict.LATE, Verdict.FUTURE, Verdict.OUT_OF_RANGE})
"""Once a later reading is accepted nothing hangs on them: its register has counted their energy."""
STOPS_BILLING = Verdict.BACKWARDS
REGISTER_FELL = "register_fell"
"""The alarm that is open while one of them waits."""

Moment = tuple[int, int]
"""(epoch seconds, validated register in Wh)"""


@dataclass(frozen=True, slots=True)
class HeldReading:
    """As it came, and what became of it; `register_wh` is what the meter showed."""

    held_id: int
    installation_id: int
    taken_at: datetime
    register_wh: Decimal
    reason: Verdict
    source: str
    held_at: datetime
    state: State

    @property
    def at_s(self) -> int:
        return int(self.taken_at.timestamp())

    @property
    def shown_wh(self) -> int:
        return int(self.register_wh)


@dataclass(frozen=True, slots=True)
class HeldDecision:
    """By nobody where a later reading proved it harmless."""

    decision: State
    register_wh: int | None
    by_subject: str | None
    reason: str
    decided_at: datetime


class Unfit(Exception):
    """A decision that would contradict what is already accepted."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The accepted readings around a moment; `before` is the opening where there is none."""

    before: Moment
    after: Moment | None
    same: Moment | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The validated register of a held reading, and how its meter is reckoned from then on, where
    that is new."""

    register_wh: int
    reckoning: Reckoning | None


def release(
    state: RegisterState,
    near: Neighbours,
    reckoning: Reckoning,
    *,
    at_s: int,
    shown_wh: int,
    latest_s: int,
) -> Settled:
    """Believe what the meter showed. A register that fell goes on from the last good one: from
    here on the meter is reckoned anew. Raises Unfit.
    """
    _check_time(state, near, at_s=at_s, latest_s=latest_s)
    before_wh = near.before[1]
    jitter_wh = JITTER_STEPS * state.resolution_wh
    last_raw_wh = reckoning.raw(before_wh)
    raw_wh = unrolled(shown_wh, last_raw_wh, state.rollover_wh, jitter_wh=jitter_wh)
    if raw_wh < last_raw_wh:
        return _reckoned_anew(near, Reckoning(shown_wh, before_wh, reckoning.ratio))
    register_wh = reckoning.validated(raw_wh)
    _check_fits(near, register_wh)
    return Settled(register_wh, None)


def correct(
    state: RegisterState,
    near: Neighbours,
    reckoning: Reckoning,
    *,
    at_s: int,
    shown_wh: int,
    register_wh: int,
    counts_on: bool,
    latest_s: int,
) -> Settled:
    """Put the right register in the place of what was shown.

    With `counts_on` the meter goes on counting from what it showed, so that later readings are
    reckoned from the right one on; else it only showed something wrong once. Raises Unfit.
    """
    _check_time(state, near, at_s=at_s, latest_s=latest_s)
    _check_fits(near, register_wh)
    if counts_on:
        return _reckoned_anew(near, Reckoning(shown_wh, register_wh, reckoning.ratio))
    return Settled(register_wh, None)


def _reckoned_anew(near: Neighbours, reckoning: Reckoning) -> Settled:
    if near.after is not None:
        raise Unfit("read_since", "later readings were accepted as the meter showed them")
    return Settled(reckoning.base_wh, reckoning)


def _check_time(state: RegisterState, near: Neighbours, *, at_s: int, latest_s: int) -> None:
    if near.same is not None:
        raise Unfit("moment_taken", f"{near.same[1]} Wh was accepted at that moment")
    if state.closed:
        raise Unfit("installation_closed", "the closing register was the last")
    if at_s > latest_s:
        raise Unfit("in_future", "its time has not come yet")
    if at_s <= near.before[0]:
        raise Unfit("before_opening", "the installation was not open at that moment")


def _check_fits(near: Neighbours, register_wh: int) -> None:
    upper_wh = near.after[1] if near.after else MAX_REGISTER_WH
    if not near.before[1] <= register_wh <= upper_wh:
        raise Unfit(
            "does_not_fit", f"{register_wh} Wh is not between {near.before[1]} and {upper_wh} Wh"
        )


def estimate(past: Sequence[Moment], *, at_s: int, ceiling_wh: int | None = None) -> int | None:
    """The register one would expect at a second, from the pace of the readings before it.

    None without two of them. Never above `ceiling_wh`, the register that follows.
    """
    if len(past) < 2 or past[-1][0] == past[0][0]:
        return None
    (first_s, first_wh), (last_s, last_wh) = past[0], past[-1]
    moved_wh = (last_wh - first_wh) * max(0, at_s - last_s) // (last_s - first_s)
    return last_wh + moved_wh if ceiling_wh is None else min(last_wh + moved_wh, ceiling_wh)
