"""What a position means now: supply on or off, why, whom to tell what, and when to look again.

A decision is a pure function of position, policy, zone and time. It says two things about the
future, so that nobody decides in vain: while a charge leaves the balance above `wake_micro`,
nothing can change; and time alone changes nothing before `decide_at`. A hold (friendly hours, a
holiday) keeps a supply that is on; it never switches one on.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from npms_ledger.domain import emergency, warnings
from npms_ledger.domain.events import (
    CreditEvent,
    CreditExhausted,
    CreditRestored,
    ThresholdCrossed,
)
from npms_ledger.domain.friendly import Hold
from npms_ledger.domain.policy import CreditPolicy, Threshold
from npms_ledger.domain.position import (
    UNREACHABLE_MICRO,
    EmergencyState,
    Entry,
    Position,
    Told,
)
from npms_ledger.domain.waterfall import (
    amount_to_clear,
    drawable_micro,
    has_credit,
    smallest_top_up,
)


class Reason(StrEnum):
    """Why a supply should be as it should."""

    IN_CREDIT = "in_credit"
    EMERGENCY_CREDIT = "emergency_credit"
    PROTECTED = "protected"
    FRIENDLY_HOURS = "friendly_hours"
    HOLIDAY = "holiday"
    EXHAUSTED = "exhausted"
    NO_CREDIT = "no_credit"
    ACCOUNT_CLOSED = "account_closed"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decided position; `entries` are the loan's postings, if it lent.

    `decide_at` is when time alone next matters, None when it never does.
    """

    position: Position
    reason: Reason
    events: tuple[CreditEvent, ...]
    entries: tuple[Entry, ...]
    wake_micro: int
    decide_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Supply:
    on: bool
    reason: Reason
    hold: Hold | None = None


def decide(position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime) -> Decision:
    """Judge a position at `now` (aware); deciding again at once changes and tells nothing."""
    if position.closed:
        return _closed(position)
    risen, restored = _restore(position, policy)
    warned, threshold = _warn(risen, policy)
    offered, offers = emergency.offer(warned, policy)
    lent = emergency.lend(offered, policy)
    supply = _supply(lent.position, policy=policy, zone=zone, now=now)
    told, exhausted = _tell_exhausted(lent.position, policy=policy, supply=supply, now=now)
    after = replace(lent.position, told=told, supply_on=supply.on)
    low = _low_balance(after, policy=policy, threshold=threshold)
    return Decision(
        position=after,
        reason=supply.reason,
        events=(*restored, *low, *offers, *exhausted),
        entries=lent.entries,
        wake_micro=wake_level(after, policy),
        decide_at=_next_look(after, policy=policy, hold=supply.hold),
    )


def wake_level(position: Position, policy: CreditPolicy) -> int:
    """The balance at or below which a decided position must be decided again."""
    if position.closed or not has_credit(position, policy):
        return -UNREACHABLE_MICRO
    levels = [policy.floor_micro]
    if (armed := warnings.armed_level(position, policy)) is not None:
        levels.append(armed)
    if policy.emergency is not None and position.emergency is EmergencyState.ENABLED:
        levels.append(policy.emergency.offer_at_micro)
    return max(levels)


def _closed(position: Position) -> Decision:
    return Decision(
        position=replace(position, supply_on=False),
        reason=Reason.ACCOUNT_CLOSED,
        events=(),
        entries=(),
        wake_micro=-UNREACHABLE_MICRO,
        decide_at=None,
    )


def _restore(position: Position, policy: CreditPolicy) -> tuple[Position, tuple[CreditEvent, ...]]:
    """What a balance above the floor brings back: a new descent with its warnings, a new loan."""
    if position.balance_micro <= policy.floor_micro:
        return position, ()
    ran_out = position.told is not Told.NOTHING
    afresh = ran_out or not position.was_in_credit
    arm = warnings.armed_afresh if afresh else warnings.rearmed
    risen = replace(
        emergency.enable_again(position, policy),
        warned_micro=arm(position, policy),
        was_in_credit=True,
        told=Told.NOTHING,
    )
    return risen, (CreditRestored(position.balance_micro),) if ran_out else ()


def _warn(position: Position, policy: CreditPolicy) -> tuple[Position, Threshold | None]:
    threshold = warnings.crossed(position, policy) if position.was_in_credit else None
    if threshold is None:
        return position, None
    return replace(position, warned_micro=threshold.at_micro), threshold


def _low_balance(
    position: Position, *, policy: CreditPolicy, threshold: Threshold | None
) -> tuple[CreditEvent, ...]:
    """A warning, unless it comes too late: who has run out is told that instead."""
    if threshold is None or not has_credit(position, policy):
        return ()
    amount = smallest_top_up(position, policy=policy, balance_micro=threshold.rearm_micro)
    return (ThresholdCrossed(threshold.at_micro, position.balance_micro, amount),)


def _supply(position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime) -> _Supply:
    if position.balance_micro > policy.floor_micro:
        return _Supply(on=True, reason=Reason.IN_CREDIT)
    if drawable_micro(position, policy) > 0:
        return _Supply(on=True, reason=Reason.EMERGENCY_CREDIT)
    if position.protected:
        return _Supply(on=True, reason=Reason.PROTECTED)
    hold = policy.kind_times.hold_at(now, zone) if position.supply_on else None
    if hold is not None:
        return _Supply(on=True, reason=Reason(hold.reason), hold=hold)
    return _Supply(
        on=False, reason=Reason.EXHAUSTED if position.was_in_credit else Reason.NO_CREDIT
    )


def _tell_exhausted(
    position: Position, *, policy: CreditPolicy, supply: _Supply, now: datetime
) -> tuple[Told, tuple[CreditEvent, ...]]:
    """Told on running out, once more shortly before a hold ends, and at the cut that follows."""
    if has_credit(position, policy) or not position.was_in_credit:
        return Told.NOTHING, ()
    reminding = supply.hold is not None and now >= _remind_at(policy, supply.hold)
    told = Told.REMINDED if reminding else max(position.told, Told.EXHAUSTED, key=_rank)
    cut = position.supply_on and not supply.on
    if told is position.told and not cut:
        return told, ()
    event = CreditExhausted(
        balance_micro=position.balance_micro,
        emergency_used_micro=position.emergency_used_micro,
        amount_to_clear_micro=amount_to_clear(position, policy),
        keeps_supply_until=supply.hold.until if supply.hold else None,
        keeps_supply_reason=supply.reason.value if supply.on else None,
    )
    return told, (event,)


def _rank(told: Told) -> int:
    return (Told.NOTHING, Told.EXHAUSTED, Told.REMINDED).index(told)


def _remind_at(policy: CreditPolicy, hold: Hold) -> datetime:
    return hold.until - timedelta(minutes=policy.remind_minutes)


def _next_look(position: Position, *, policy: CreditPolicy, hold: Hold | None) -> datetime | None:
    if hold is None:
        return None
    if position.told is Told.EXHAUSTED:
        return _remind_at(policy, hold)
    return hold.until
