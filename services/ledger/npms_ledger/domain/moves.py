"""Money that people move: from the balance, to the balance, past the waterfall.

It was shared when it was paid, so that no part of it goes to debt again; emergency credit is repaid
first, as by every credit. Only what was paid moves on or out: never what a floor below zero lends,
what emergency credit lent, nor what was given. `paid_micro` is what was paid into an account and
has not left it, by transfer, reversal or refund: no account sends more than that, so that all
refunds together are never more than all payments.
"""

from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import Bucket, Position, Posted, PostingKind, post


def own_micro(position: Position) -> int:
    """What is left once debt and emergency credit are settled, without what was granted."""
    return position.balance_micro - position.debt_micro - position.emergency_used_micro


def movable_micro(position: Position, policy: CreditPolicy, *, paid_micro: int) -> int:
    """What may go to another account: paid, neither used nor owed, and above the floor."""
    above_micro = position.balance_micro - max(0, policy.floor_micro)
    return max(0, min(above_micro, own_micro(position), paid_micro))


def unspent_micro(position: Position, *, given_micro: int, paid_micro: int) -> int:
    """What is left of a payment that gave so much to the balance. Debts stay out of it: they are
    not those of whoever paid.
    """
    held_micro = position.balance_micro - position.emergency_used_micro
    return max(0, min(given_micro, held_micro, paid_micro))


def refundable_micro(position: Position, *, paid_micro: int) -> int:
    """What may be paid out once an account is closed."""
    return max(0, min(own_micro(position), paid_micro))


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
