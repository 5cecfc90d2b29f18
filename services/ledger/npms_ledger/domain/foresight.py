"""Who will be cut if everybody goes on as lately: the ledger's own rules, played forward.

An account is copied and charged evenly over the moments at which something can change: the balance
reaches its wake level, or the time comes at which time alone decides. Nothing is stored or told.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from npms_ledger.domain.account import Account
from npms_ledger.domain.decision import Reason
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import UNREACHABLE_MICRO, CutHold
from npms_ledger.domain.waterfall import drawable_micro

CARRIED = frozenset({Reason.IN_CREDIT, Reason.GRANTED_CREDIT, Reason.EMERGENCY_CREDIT})
MOST_STEPS = 2_000
"""Far more moments than a fortnight of holds, limits and warnings has."""
LEAST_STEP_S = 900
FAR_S = 366 * 86_400
"""Nobody looks so far ahead."""


@dataclass(frozen=True, slots=True)
class Use:
    """The assumption: `amount_micro` are charged in every `per_s` seconds, evenly."""

    amount_micro: int
    per_s: int

    def after(self, seconds: int) -> int:
        """Micro-units charged in so many seconds, rounded down."""
        return max(self.amount_micro, 0) * seconds // self.per_s

    def seconds_to(self, amount_micro: int) -> int | None:
        """How long until so much is charged; None when it never is."""
        if self.amount_micro <= 0:
            return None
        return max(0, -(-amount_micro * self.per_s // self.amount_micro))


@dataclass(frozen=True, slots=True)
class ForeseenCut:
    """`hold_ended` is what keeps the supply on until `at`; `avoid_micro` the smallest top-up now
    after which the account is not cut in the time looked at.
    """

    at: datetime
    reason: Reason
    hold_ended: Reason | None
    balance_micro: int
    avoid_micro: int


def foresee(account: Account, use: Use, *, now: datetime, until: datetime) -> ForeseenCut | None:
    """The first cut from now to `until`, if there is one; the guardrail is left out of account."""
    cut = _play(account, use, now=now, until=until)
    if cut is None:
        return None
    at, end, hold = cut
    return ForeseenCut(
        at=at,
        reason=end.reason,
        hold_ended=hold,
        balance_micro=end.position.balance_micro,
        avoid_micro=_smallest(account, use, now=now, until=until),
    )


def under(account: Account, policy: CreditPolicy, *, can_limit: bool) -> Account:
    """A copy of the account as it would be under another policy."""
    position = replace(account.position, can_limit=can_limit)
    return replace(
        account, policy=policy, position=position, written=[], events=[], counterparts={}
    )


def _play(
    account: Account, use: Use, *, now: datetime, until: datetime, top_up_micro: int = 0
) -> tuple[datetime, Account, Reason | None] | None:
    """When, how and after which hold the supply goes off; None if it is off or stays on."""
    if not account.position.supply_on:
        return None
    one = _fresh(account)
    hold: Reason | None = None
    at, charged_micro = now, 0
    if top_up_micro:
        one.top_up(top_up_micro, now)
    one.judge(now)
    for _ in range(MOST_STEPS):
        if not one.position.supply_on:
            return at, one, hold
        following = _next_moment(one, use, now=now, charged_micro=charged_micro)
        if following is None or following > until:
            return None
        hold = None if one.reason in CARRIED else one.reason
        at = max(following, at)
        due_micro = use.after(int((at - now).total_seconds()))
        one.charge(due_micro - charged_micro, at)
        charged_micro = due_micro
        one.judge(at)
    return None


def _next_moment(one: Account, use: Use, *, now: datetime, charged_micro: int) -> datetime | None:
    seconds = use.seconds_to(charged_micro + _room_micro(one, use))
    moments = [one.decide_at] if one.decide_at is not None else []
    if seconds is not None and seconds < FAR_S:
        moments.append(now + timedelta(seconds=seconds))
    return min(moments, default=None)


def _room_micro(one: Account, use: Use) -> int:
    """What may be charged before the next decision; on granted or emergency credit, which are
    decided at every charge, until they are used up.
    """
    above_micro = one.position.balance_micro - one.wake_micro
    if above_micro > 0:
        return above_micro
    granted_micro = sum(grant.remaining_micro for grant in one.position.grants)
    lendable_micro = drawable_micro(one.position, one.policy)
    return max(granted_micro, lendable_micro) or use.after(LEAST_STEP_S) or 1


def _fresh(account: Account) -> Account:
    position = replace(account.position, cut_hold=CutHold.NONE, cut_held_until=None)
    return replace(account, position=position, taken=None, written=[], events=[], counterparts={})


def _smallest(account: Account, use: Use, *, now: datetime, until: datetime) -> int:
    """By halving: a larger top-up never cuts where a smaller one does not."""

    def is_cut(amount_micro: int) -> bool:
        played = _play(account, use, now=now, until=until, top_up_micro=amount_micro)
        return played is not None

    low, high = 0, max(1, use.after(int((until - now).total_seconds())))
    while is_cut(high) and high < UNREACHABLE_MICRO:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_cut(middle) else (low, middle)
    return high
