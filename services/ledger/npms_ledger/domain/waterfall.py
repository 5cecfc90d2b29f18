"""Where a top-up goes, and, exactly backwards, how large one must be.

The waterfall: the policy's share to debt (stops at zero debt), then emergency credit is repaid,
what remains is balance. The three parts sum to the top-up.
"""

from npms_ledger.domain.policy import PPM, CreditPolicy
from npms_ledger.domain.position import (
    LENDING,
    Bucket,
    Position,
    Posted,
    PostingKind,
    post,
)


def top_up(position: Position, *, policy: CreditPolicy, amount_micro: int) -> Posted:
    """Run a positive amount through the waterfall."""
    to_debt = min(position.debt_micro, amount_micro * policy.debt_share_ppm // PPM)
    to_emergency = min(position.emergency_used_micro, amount_micro - to_debt)
    return post(
        position,
        PostingKind.TOP_UP,
        {
            Bucket.DEBT: to_debt,
            Bucket.EMERGENCY: to_emergency,
            Bucket.BALANCE: amount_micro - to_debt - to_emergency,
        },
    )


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
    return position.balance_micro > policy.floor_micro or drawable_micro(position, policy) > 0


def smallest_top_up(position: Position, *, policy: CreditPolicy, balance_micro: int) -> int:
    """The smallest top-up after which the balance is at least `balance_micro`; 0 if it is now."""
    if position.balance_micro >= balance_micro:
        return 0
    needed = balance_micro - position.balance_micro + position.emergency_used_micro
    past_debt = needed + position.debt_micro
    if policy.debt_share_ppm == PPM:
        return past_debt
    within_debt = (needed - 1) * PPM // (PPM - policy.debt_share_ppm) + 1
    return min(within_debt, past_debt)


def amount_to_clear(position: Position, policy: CreditPolicy) -> int:
    """The smallest top-up after which credit carries the supply; 0 if it already does."""
    if has_credit(position, policy):
        return 0
    return smallest_top_up(position, policy=policy, balance_micro=policy.floor_micro + 1)
