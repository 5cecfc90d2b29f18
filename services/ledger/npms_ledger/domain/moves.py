"""Money that people move: from the balance, to the balance, past the waterfall.

It was shared when it was paid, so that no part of it goes to debt again; emergency credit is repaid
first, as by every credit. Nobody can move what is below the floor.
"""

from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import Bucket, Position, Posted, PostingKind, post


def movable_micro(position: Position, policy: CreditPolicy) -> int:
    """What the balance holds above its floor."""
    return max(0, position.balance_micro - policy.floor_micro)


def fix(position: Position, amount_micro: int) -> Posted:
    """Put the balance right by a signed amount."""
    return post(position, PostingKind.MONEY_FIX, {Bucket.BALANCE: amount_micro})


def send(position: Position, amount_micro: int) -> Posted:
    return post(position, PostingKind.TRANSFER, {Bucket.BALANCE: -amount_micro})


def receive(position: Position, amount_micro: int) -> Posted:
    """Credit from another account: emergency credit first, what remains is balance."""
    to_emergency = min(position.emergency_used_micro, amount_micro)
    return post(
        position,
        PostingKind.TRANSFER,
        {Bucket.EMERGENCY: to_emergency, Bucket.BALANCE: amount_micro - to_emergency},
    )


def clear(position: Position) -> Posted:
    """Empty every bucket: what the balance owes to debt and emergency credit, and the rest."""
    return post(
        position,
        PostingKind.REFUND,
        {
            Bucket.EMERGENCY: position.emergency_used_micro,
            Bucket.DEBT: position.debt_micro,
            Bucket.BALANCE: -position.balance_micro,
        },
    )
