"""What time brings to an account by itself: debts recovered by time, grants that end or renew."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from npms_ledger.domain import grants
from npms_ledger.domain.debt import Debt, DebtKind, by_priority
from npms_ledger.domain.grant import ChargeKind, Grant
from npms_ledger.domain.periods import following
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import (
    Bucket,
    Move,
    Position,
    Posted,
    PostingKind,
    post_moves,
)


def next_due(position: Position) -> datetime | None:
    """When time next brings something."""
    first = _earliest(position)
    return None if first is None else first[0]


def catch_up(position: Position, *, policy: CreditPolicy, zone: ZoneInfo, now: datetime) -> Posted:
    """Everything that has come due by `now`, in the order of its time."""
    posted = Posted(position, ())
    while (first := _earliest(posted.position)) is not None and first[0] <= now:
        came = _come(posted.position, first[1], policy=policy, zone=zone)
        posted = Posted(came.position, (*posted.entries, *came.entries))
    return posted


def is_suspended(position: Position, debt: Debt) -> bool:
    """Whether the debt's terms ask for nothing in this position."""
    terms = debt.terms
    if terms.suspend_in_emergency and position.emergency_used_micro:
        return True
    return terms.suspend_when_off and not position.supply_on


def _earliest(position: Position) -> tuple[datetime, Debt | Grant] | None:
    """(when, what) comes due first; of several at once, grants before debts."""
    if not position.grants and not position.debts:
        return None
    waiting: list[tuple[datetime | None, Debt | Grant]] = [
        *((grant.due_at(), grant) for grant in grants.in_order(position.grants)),
        *((debt.next_at, debt) for debt in by_priority(position.debts, DebtKind.TIME)),
    ]
    dated = [(at, what) for at, what in waiting if at is not None]
    return min(dated, key=lambda one: one[0], default=None)


def _come(
    position: Position, what: Debt | Grant, *, policy: CreditPolicy, zone: ZoneInfo
) -> Posted:
    if isinstance(what, Grant):
        return grants.come_due(position, what, zone)
    return _recover(position, what, policy=policy, zone=zone)


def _recover(position: Position, debt: Debt, *, policy: CreditPolicy, zone: ZoneInfo) -> Posted:
    """One period's part of a debt, from the balance; a suspended one waits for the next period."""
    rate = debt.terms.rate
    assert rate is not None
    assert debt.next_at is not None
    waits = replace(debt, next_at=following(rate.period, debt.next_at, zone))
    debts = tuple(waits if one.number == debt.number else one for one in position.debts)
    part = 0 if is_suspended(position, debt) else min(rate.amount_micro, debt.remaining_micro)
    about = debt.number, debt.terms.label
    taken = post_moves(
        replace(position, debts=debts),
        PostingKind.DEBT_CHARGE,
        [Move(Bucket.BALANCE, -part, *about), Move(Bucket.DEBT, part, *about)],
    )
    drawn = grants.draw(
        taken.position, amount_micro=part, kind=ChargeKind.DEBT, floor_micro=policy.floor_micro
    )
    return Posted(drawn.position, (*taken.entries, *drawn.entries))
