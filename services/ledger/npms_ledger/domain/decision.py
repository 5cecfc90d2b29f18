"""What a position means now: supply on or off, why, whom to tell what, and when to look again.

A decision is a pure function of position, policy, zone and time. It begins with what time brought
(debts recovered by time, grants that ended or were renewed), then says two things about the
future, so that nobody decides in vain: while a charge leaves the balance above `wake_micro`,
nothing can change; and time alone changes nothing before `decide_at`. A hold (friendly hours, a
holiday) keeps a supply that is on; it never switches one on. A person's word (keep-on) and
protection do. Where the policy limits the load first, a supply whose meter can is limited when
credit and holds are over, and cut when the limit's time is over too.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from npms_ledger.domain import emergency, grants, warnings
from npms_ledger.domain.due import catch_up, next_due
from npms_ledger.domain.events import (
    CreditEvent,
    CreditExhausted,
    CreditRestored,
    ProtectionExpired,
    ThresholdCrossed,
)
from npms_ledger.domain.periods import local_day
from npms_ledger.domain.policy import CreditPolicy, Threshold, in_force
from npms_ledger.domain.position import (
    UNREACHABLE_MICRO,
    CutHold,
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
    GRANTED_CREDIT = "granted_credit"
    EMERGENCY_CREDIT = "emergency_credit"
    PROTECTED = "protected"
    FRIENDLY_HOURS = "friendly_hours"
    HOLIDAY = "holiday"
    KEPT_ON = "kept_on"
    LOAD_LIMITED = "load_limited"
    GUARDRAIL = "guardrail"
    EXHAUSTED = "exhausted"
    NO_CREDIT = "no_credit"
    ACCOUNT_CLOSED = "account_closed"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decided position; `entries` are the postings of what time brought, and of the loan.

    `decide_at` is when time alone next matters, None when it never does.
    """

    position: Position
    reason: Reason
    events: tuple[CreditEvent, ...]
    entries: tuple[Entry, ...]
    wake_micro: int
    decide_at: datetime | None


HELD_BACK = frozenset({CutHold.WAITING, CutHold.REJECTED})


@dataclass(frozen=True, slots=True)
class _Supply:
    """`until` is when the reason ends by itself, where that is known."""

    on: bool
    reason: Reason
    until: datetime | None = None
    limit_w: int | None = None
    limit_until: datetime | None = None
    cut_hold: CutHold = CutHold.NONE


def decide(position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime) -> Decision:
    """Judge a position at `now` (aware); deciding again at once changes and tells nothing."""
    if position.closed:
        return _closed(position)
    policy, changes_at = in_force(policy, opened_at=position.opened_at, now=now)
    came = catch_up(position, policy=policy, zone=zone, now=now)
    risen, restored = _restore(_lapse(came.position, now), policy)
    warned, threshold = _warn(risen, policy)
    offered, offers = emergency.offer(warned, policy)
    lent = emergency.lend(offered, policy)
    supply = _supply(lent.position, policy=policy, zone=zone, now=now)
    day = local_day(now, zone)
    told, exhausted = _tell_exhausted(lent.position, policy=policy, supply=supply, now=now, day=day)
    after = _supplied(replace(lent.position, told=told), supply)
    expired = _tell_expired(position, after=after, policy=policy, day=day)
    low = _low_balance(after, policy=policy, threshold=threshold, day=day)
    looks = (_next_look(after, supply=supply, policy=policy), next_due(after), changes_at)
    return Decision(
        position=after,
        reason=supply.reason,
        events=(*restored, *low, *offers, *expired, *exhausted),
        entries=(*came.entries, *lent.entries),
        wake_micro=wake_level(after, policy),
        decide_at=min((at for at in looks if at is not None), default=None),
    )


def wake_level(position: Position, policy: CreditPolicy) -> int:
    """The balance at or below which a decided position must be decided again.

    With a grant that the next charge may draw on, that is every balance.
    """
    if position.closed or not has_credit(position, policy):
        return -UNREACHABLE_MICRO
    if grants.to_draw(position):
        return UNREACHABLE_MICRO
    if position.balance_micro <= policy.floor_micro and grants.carried_by_time(position):
        return -UNREACHABLE_MICRO
    levels = [policy.floor_micro]
    if (armed := warnings.armed_level(position, policy)) is not None:
        levels.append(armed)
    if policy.emergency is not None and position.emergency is EmergencyState.ENABLED:
        levels.append(policy.emergency.offer_at_micro)
    return max(levels)


def _closed(position: Position) -> Decision:
    return Decision(
        position=_supplied(
            replace(position, keep_on_until=None, protected_until=None),
            _Supply(on=False, reason=Reason.ACCOUNT_CLOSED),
        ),
        reason=Reason.ACCOUNT_CLOSED,
        events=(),
        entries=(),
        wake_micro=-UNREACHABLE_MICRO,
        decide_at=None,
    )


def _lapse(position: Position, now: datetime) -> Position:
    """Without what was said for a time that is over."""

    def is_over(until: datetime | None) -> bool:
        return until is not None and now >= until

    if is_over(position.keep_on_until):
        position = replace(position, keep_on_until=None)
    if is_over(position.protected_until):
        position = replace(position, protected=False, protected_until=None)
    if position.cut_hold is CutHold.REJECTED and is_over(position.cut_held_until):
        position = replace(position, cut_hold=CutHold.NONE)
    return position


def _supplied(position: Position, supply: _Supply) -> Position:
    held_until = position.cut_held_until if supply.cut_hold is not CutHold.NONE else None
    return replace(
        position,
        supply_on=supply.on,
        limit_w=supply.limit_w,
        limit_until=supply.limit_until,
        cut_hold=supply.cut_hold,
        cut_held_until=held_until,
    )


def _restore(position: Position, policy: CreditPolicy) -> tuple[Position, tuple[CreditEvent, ...]]:
    """What a balance above the floor brings back: a new descent with its warnings, a new loan.

    Granted credit brings back what ran out, and is itself something that can run out.
    """
    above = position.balance_micro > policy.floor_micro
    if not above and not grants.carry(position):
        return position, ()
    ran_out = position.told is not Told.NOTHING
    afresh = ran_out or not position.was_in_credit
    arm = warnings.armed_afresh if afresh else warnings.rearmed
    risen = replace(
        emergency.enable_again(position, policy) if above else position,
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
    position: Position, *, policy: CreditPolicy, threshold: Threshold | None, day: date
) -> tuple[CreditEvent, ...]:
    """A warning, unless it comes too late: who has run out is told that instead."""
    if threshold is None or not has_credit(position, policy):
        return ()
    goal_micro = threshold.rearm_micro
    amount = smallest_top_up(position, policy=policy, balance_micro=goal_micro, day=day)
    return (ThresholdCrossed(threshold.at_micro, position.balance_micro, amount),)


def _supply(position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime) -> _Supply:
    if position.balance_micro > policy.floor_micro:
        return _Supply(on=True, reason=Reason.IN_CREDIT)
    if grants.carry(position):
        return _Supply(on=True, reason=Reason.GRANTED_CREDIT)
    if drawable_micro(position, policy) > 0:
        return _Supply(on=True, reason=Reason.EMERGENCY_CREDIT)
    if position.keep_on_until is not None:
        return _Supply(on=True, reason=Reason.KEPT_ON, until=position.keep_on_until)
    if position.protected:
        return _Supply(on=True, reason=Reason.PROTECTED, until=position.protected_until)
    if position.supply_on:
        kept = _kept(position, policy=policy, zone=zone, now=now)
        if kept is not None:
            return kept
    return _Supply(
        on=False, reason=Reason.EXHAUSTED if position.was_in_credit else Reason.NO_CREDIT
    )


def _kept(
    position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime
) -> _Supply | None:
    """What still keeps a supply on that nothing carries; a limit once set lasts until the end.

    A limit that runs and a cut that is held back go before friendly hours, so that the beginning of
    those changes nothing.
    """
    limit_w, limit_until = position.limit_w, position.limit_until
    if limit_until is not None and now < limit_until:
        return _limited(limit_w, limit_until)
    if position.cut_hold in HELD_BACK:
        return _Supply(
            on=True,
            reason=Reason.GUARDRAIL,
            until=position.cut_held_until,
            limit_w=limit_w,
            limit_until=limit_until,
            cut_hold=position.cut_hold,
        )
    hold = policy.kind_times.hold_at(now, zone)
    if hold is not None:
        return _Supply(
            on=True,
            reason=Reason(hold.reason),
            until=hold.until,
            limit_w=limit_w,
            limit_until=limit_until,
        )
    terms = policy.load_limit
    if terms is not None and position.can_limit and limit_until is None:
        return _limited(terms.power_w, now + timedelta(minutes=terms.for_minutes))
    return None


def _limited(limit_w: int | None, until: datetime) -> _Supply:
    return _Supply(
        on=True, reason=Reason.LOAD_LIMITED, until=until, limit_w=limit_w, limit_until=until
    )


def _tell_expired(
    before: Position, *, after: Position, policy: CreditPolicy, day: date
) -> tuple[CreditEvent, ...]:
    if not before.protected or after.protected:
        return ()
    return (ProtectionExpired(after.balance_micro, amount_to_clear(after, policy, day)),)


def _tell_exhausted(
    position: Position, *, policy: CreditPolicy, supply: _Supply, now: datetime, day: date
) -> tuple[Told, tuple[CreditEvent, ...]]:
    """Told on running out, once more shortly before a hold ends, and at the cut that follows.

    Of a cut that the guardrail holds back nothing is told: it may be a mistake.
    """
    if has_credit(position, policy) or not position.was_in_credit:
        return Told.NOTHING, ()
    if supply.reason is Reason.GUARDRAIL:
        return position.told, ()
    reminding = supply.until is not None and now >= _remind_at(policy, supply.until)
    told = Told.REMINDED if reminding else max(position.told, Told.EXHAUSTED, key=_rank)
    cut = position.supply_on and not supply.on
    if told is position.told and not cut:
        return told, ()
    event = CreditExhausted(
        balance_micro=position.balance_micro,
        emergency_used_micro=position.emergency_used_micro,
        amount_to_clear_micro=amount_to_clear(position, policy, day),
        keeps_supply_until=supply.until,
        keeps_supply_reason=supply.reason.value if supply.on else None,
    )
    return told, (event,)


def _rank(told: Told) -> int:
    return (Told.NOTHING, Told.EXHAUSTED, Told.REMINDED).index(told)


def _remind_at(policy: CreditPolicy, until: datetime) -> datetime:
    return until - timedelta(minutes=policy.remind_minutes)


def _next_look(position: Position, *, policy: CreditPolicy, supply: _Supply) -> datetime | None:
    """When what was said for a time ends, or is to be reminded of."""
    times = [position.keep_on_until, position.protected_until, supply.until]
    if supply.until is not None and _will_remind(position, supply):
        times.append(_remind_at(policy, supply.until))
    return min((at for at in times if at is not None), default=None)


def _will_remind(position: Position, supply: _Supply) -> bool:
    return position.told is Told.EXHAUSTED and supply.reason is not Reason.GUARDRAIL
