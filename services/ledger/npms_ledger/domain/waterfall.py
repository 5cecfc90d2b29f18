"""Where a top-up goes, and, exactly backwards, how large one must be.

The waterfall is a list of steps, each taking a part of what reaches it: charges that the first
top-up of a month pays, debts at their shares, what the balance lacks to the floor, emergency credit
that was used; what remains is balance. The parts sum to the top-up. A share is one of what is left
when its debt's turn comes, rounded down: so one micro-unit more never leaves less for the balance,
and every step has an exact inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from npms_ledger.domain import grants
from npms_ledger.domain.debt import PPM, Debt, DebtKind, by_priority, cap_left, count
from npms_ledger.domain.due import is_suspended
from npms_ledger.domain.policy import CreditPolicy, Step
from npms_ledger.domain.position import (
    LENDING,
    Bucket,
    Entry,
    Move,
    Position,
    Posted,
    PostingKind,
    post,
    post_moves,
)

ACCUMULATED = "accumulated"
"""Labels the part of a top-up that only raises the balance to the floor."""


@dataclass(slots=True)
class _Run:
    """A top-up on its way: what it has left, what it has done. Debts are suspended as they were
    when it came.
    """

    began: Position
    position: Position
    policy: CreditPolicy
    day: date
    left_micro: int
    entries: list[Entry]

    def post(self, move: Move, kind: PostingKind = PostingKind.TOP_UP) -> None:
        posted = post_moves(self.position, kind, [move])
        self.position = posted.position
        self.entries += posted.entries


def top_up(position: Position, *, policy: CreditPolicy, amount_micro: int, day: date) -> Posted:
    """Run a positive amount through the policy's waterfall on a local day."""
    run = _Run(position, position, policy, day, amount_micro, [])
    for step in policy.waterfall:
        _STEPS[step](run)
    return Posted(run.position, tuple(run.entries))


def _pay_vend_charges(run: _Run) -> None:
    paid = []
    for due in run.position.vend.due(run.day):
        part = min(run.left_micro, due.left_micro)
        run.left_micro -= part
        name, tax_micro = due.charge.name, due.tax_of(part)
        run.post(Move(Bucket.BALANCE, part))
        charge = Move(Bucket.BALANCE, -part, label=name, tax_micro=tax_micro)
        run.post(charge, PostingKind.VEND_CHARGE)
        paid.append(replace(due, taken_micro=due.taken_micro + part))
    if paid:
        run.position = replace(run.position, vend=run.position.vend.paid(paid))


def _pay_debts(run: _Run) -> None:
    before = run.left_micro
    most = _cap_left(run.position, run.policy, run.day)
    for debt in _collectable(run.began):
        limit = min(debt.collectable_micro(run.day), most - (before - run.left_micro))
        asked = _asked(debt, run.policy, run.left_micro)
        part = min(limit, asked, run.left_micro)
        run.left_micro -= part
        run.post(Move(Bucket.DEBT, part, debt.number, debt.terms.label))
        _count(run, debt, part)


def _pay_accumulated(run: _Run) -> None:
    part = min(run.left_micro, _below_floor(run.position, run.policy))
    run.left_micro -= part
    run.post(Move(Bucket.BALANCE, part, label=ACCUMULATED))


def _repay_emergency(run: _Run) -> None:
    part = min(run.left_micro, run.position.emergency_used_micro)
    run.left_micro -= part
    run.post(Move(Bucket.EMERGENCY, part))


def _add_to_balance(run: _Run) -> None:
    run.post(Move(Bucket.BALANCE, run.left_micro))
    run.left_micro = 0


_STEPS: dict[Step, Callable[[_Run], None]] = {
    Step.VEND_CHARGES: _pay_vend_charges,
    Step.PAYMENT_DEBT: _pay_debts,
    Step.ACCUMULATED: _pay_accumulated,
    Step.EMERGENCY_CREDIT: _repay_emergency,
    Step.BALANCE: _add_to_balance,
}


def _collectable(position: Position) -> list[Debt]:
    debts = by_priority(position.debts, DebtKind.PAYMENT)
    return [debt for debt in debts if not is_suspended(position, debt)]


def _share(debt: Debt, policy: CreditPolicy) -> int:
    own = debt.terms.share_ppm
    return policy.debt_share_ppm if own is None else own


def _asked(debt: Debt, policy: CreditPolicy, left_micro: int) -> int:
    return max(debt.terms.minimum_micro, left_micro * _share(debt, policy) // PPM)


def _cap_left(position: Position, policy: CreditPolicy, day: date) -> int:
    if policy.debt_cap is None:
        return position.debt_micro
    return cap_left(policy.debt_cap, position.recovered_micro, position.recovered_since, day)


def _count(run: _Run, debt: Debt, part: int) -> None:
    """Count a recovered part against the debt's cap and the policy's."""
    position = run.position
    debts = tuple(
        one.took(part, run.day) if one.number == debt.number else one for one in position.debts
    )
    run.position = replace(position, debts=debts)
    if (cap := run.policy.debt_cap) is not None:
        taken, since = count(cap, position.recovered_micro, position.recovered_since, run.day)
        run.position = replace(run.position, recovered_micro=taken + part, recovered_since=since)


def _below_floor(position: Position, policy: CreditPolicy) -> int:
    return max(0, policy.floor_micro - position.balance_micro)


def reverse(position: Position, amount_micro: int) -> Posted:
    """Take back a payment: from what the balance holds, the rest becomes debt.

    It has no rule of its own about the supply; the policy judges the position it leaves.
    """
    from_balance = min(amount_micro, max(position.balance_micro, 0))
    return post(
        position,
        PostingKind.REVERSAL,
        {Bucket.BALANCE: -from_balance, Bucket.DEBT: from_balance - amount_micro},
    )


def drawable_micro(position: Position, policy: CreditPolicy) -> int:
    """What emergency credit can still lend without asking."""
    if policy.emergency is None or position.emergency not in LENDING:
        return 0
    return max(0, policy.emergency.limit_micro - position.emergency_used_micro)


def has_credit(position: Position, policy: CreditPolicy) -> bool:
    """Whether credit alone carries the supply, with no hold and no protection."""
    return (
        position.balance_micro > policy.floor_micro
        or grants.carry(position)
        or drawable_micro(position, policy) > 0
    )


def smallest_top_up(
    position: Position, *, policy: CreditPolicy, balance_micro: int, day: date
) -> int:
    """The smallest top-up after which the balance is at least `balance_micro`; 0 if it is now."""
    if position.balance_micro >= balance_micro:
        return 0
    wanted, steps = _last_wish(position, policy, balance_micro)
    for step in reversed(steps):
        wanted = _before(step, wanted, position=position, policy=policy, day=day)
    return wanted


def _last_wish(
    position: Position, policy: CreditPolicy, balance_micro: int
) -> tuple[int, tuple[Step, ...]]:
    """What must reach the step that lifts the balance to its goal, and the steps before that.

    A goal at or below the floor is reached in the step that raises the balance to the floor.
    """
    steps = policy.waterfall
    goal_in = Step.ACCUMULATED if balance_micro <= policy.floor_micro else Step.BALANCE
    from_micro = position.balance_micro
    if goal_in is Step.BALANCE:
        from_micro = max(from_micro, policy.floor_micro)
    return balance_micro - from_micro, steps[: steps.index(goal_in)]


def _before(step: Step, wanted: int, *, position: Position, policy: CreditPolicy, day: date) -> int:
    """The least that must reach a step for it to leave `wanted`, which is positive."""
    if step is Step.VEND_CHARGES:
        return wanted + sum(due.left_micro for due in position.vend.due(day))
    if step is Step.ACCUMULATED:
        return wanted + _below_floor(position, policy)
    if step is Step.EMERGENCY_CREDIT:
        return wanted + position.emergency_used_micro
    past_cap = wanted + _cap_left(position, policy, day)
    for debt in reversed(_collectable(position)):
        wanted = _before_debt(debt, wanted, policy=policy, day=day)
    return min(wanted, past_cap)


def _before_debt(debt: Debt, wanted: int, *, policy: CreditPolicy, day: date) -> int:
    past_limit = wanted + debt.collectable_micro(day)
    share = _share(debt, policy)
    if share == PPM:
        return past_limit
    within = max((wanted - 1) * PPM // (PPM - share) + 1, wanted + debt.terms.minimum_micro)
    return min(within, past_limit)


def amount_to_clear(position: Position, policy: CreditPolicy, day: date) -> int:
    """The smallest top-up on a local day that lets credit carry the supply; 0 if it does now."""
    if has_credit(position, policy):
        return 0
    return smallest_top_up(position, policy=policy, balance_micro=policy.floor_micro + 1, day=day)
