"""Low-balance thresholds: each told once per descent, armed again by hysteresis."""

from npms_ledger.domain.policy import CreditPolicy, Threshold
from npms_ledger.domain.position import UNREACHABLE_MICRO, Position


def armed_level(position: Position, policy: CreditPolicy) -> int | None:
    """The highest threshold still to be told of, if any."""
    levels = (t.at_micro for t in policy.thresholds if t.at_micro < position.warned_micro)
    return max(levels, default=None)


def rearmed(position: Position, policy: CreditPolicy) -> int:
    """`warned_micro` after arming what the balance has risen far enough above."""
    spent = (
        t.at_micro
        for t in policy.thresholds
        if t.at_micro >= position.warned_micro and t.rearm_micro > position.balance_micro
    )
    return min(spent, default=UNREACHABLE_MICRO)


def armed_afresh(position: Position, policy: CreditPolicy) -> int:
    """`warned_micro` where a descent begins: all thresholds below the balance are armed."""
    spent = (t.at_micro for t in policy.thresholds if t.at_micro >= position.balance_micro)
    return min(spent, default=UNREACHABLE_MICRO)


def crossed(position: Position, policy: CreditPolicy) -> Threshold | None:
    """The lowest armed threshold that the balance has reached; it speaks for those above it."""
    reached = [
        t for t in policy.thresholds if position.balance_micro <= t.at_micro < position.warned_micro
    ]
    return reached[-1] if reached else None
