"""What an account has, and the model of where its money lies.

Every micro-unit of a customer lies in exactly one of three buckets. Their values are signed from
the customer's side, positive meaning that we owe the customer:

- `balance`: credit bought and not yet used; negative when more was used than could be cut in time;
- `debt`: −debt_micro, what is recovered by a share of each top-up;
- `emergency`: −emergency_used_micro, what was lent and is repaid first.

A charge always takes its whole amount from the balance, in one posting. While emergency credit is
invoked, it lends what the balance then lacks to the credit floor, up to its limit, as a posting of
its own (emergency −d, balance +d): so an account on emergency credit rests exactly on its floor,
and only what exceeds the limit (use in friendly hours, a late cut) makes the balance go below.
How a sum was cut into charges therefore never changes where the money lies.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

UNREACHABLE_MICRO = 2**62
"""No balance comes near it: `-UNREACHABLE_MICRO` is a wake level that is never reached."""


class Bucket(StrEnum):
    BALANCE = "balance"
    DEBT = "debt"
    EMERGENCY = "emergency"


class PostingKind(StrEnum):
    OPENING = "opening"
    CHARGE = "charge"
    TOP_UP = "top_up"
    EMERGENCY_LENT = "emergency_lent"
    REVERSAL = "reversal"
    CORRECTION = "correction"
    PROVISIONAL = "provisional"
    SETTLEMENT = "settlement"
    MONEY_FIX = "money_fix"
    TRANSFER = "transfer"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class EmergencyState(StrEnum):
    """The states of a DLMS credit object, as one emergency credit goes through them.

    enabled → selectable (offered) → invoked (accepted) → in_use → exhausted, and back to enabled
    once the balance has been above `reoffer_above_micro`. Repaying alone returns in_use to
    invoked; an exhausted one lends nothing more until it is enabled again.
    """

    ENABLED = "enabled"
    SELECTABLE = "selectable"
    INVOKED = "invoked"
    IN_USE = "in_use"
    EXHAUSTED = "exhausted"


LENDING = frozenset({EmergencyState.INVOKED, EmergencyState.IN_USE})


class Told(StrEnum):
    """What the customer was last told about having run out of credit."""

    NOTHING = "nothing"
    EXHAUSTED = "exhausted"
    REMINDED = "reminded"


class CutHold(StrEnum):
    """Where a cut stands that the guardrail kept back: a person approves or rejects it."""

    NONE = "none"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Position:
    """One account's money and how far its story has gone.

    `warned_micro` is the lowest threshold told of in this descent: it and all above it are spent,
    those below are armed. `was_in_credit` turns true for good when the balance first stands above
    the floor; before that nothing can run out, so nobody is warned. `supply_on` is what was last
    desired, with at most `limit_w` from the meter, None being no limit; `limit_until` is when a
    limit gives way to the cut. `can_limit` says whether the meters know such a limit. A person's
    word keeps a supply on until `keep_on_until`; protection without `protected_until` has no end.
    """

    balance_micro: int = 0
    debt_micro: int = 0
    emergency_used_micro: int = 0
    emergency: EmergencyState = EmergencyState.ENABLED
    warned_micro: int = UNREACHABLE_MICRO
    was_in_credit: bool = False
    told: Told = Told.NOTHING
    supply_on: bool = True
    protected: bool = False
    closed: bool = False
    protected_until: datetime | None = None
    keep_on_until: datetime | None = None
    limit_w: int | None = None
    limit_until: datetime | None = None
    can_limit: bool = False
    cut_hold: CutHold = CutHold.NONE
    cut_held_until: datetime | None = None

    def value_of(self, bucket: Bucket) -> int:
        """Micro-units in a bucket, signed from the customer's side."""
        if bucket is Bucket.BALANCE:
            return self.balance_micro
        if bucket is Bucket.DEBT:
            return -self.debt_micro
        return -self.emergency_used_micro

    @property
    def net_micro(self) -> int:
        """All buckets together."""
        return self.balance_micro - self.debt_micro - self.emergency_used_micro


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting to a bucket; `after_micro` is the bucket's signed value after it."""

    bucket: Bucket
    kind: PostingKind
    amount_micro: int
    after_micro: int


@dataclass(frozen=True, slots=True)
class Posted:
    """A position after a change, and the entries that made it, in order."""

    position: Position
    entries: tuple[Entry, ...]

    def parts(self, bucket: Bucket) -> int:
        """Micro-units that went to a bucket."""
        return sum(entry.amount_micro for entry in self.entries if entry.bucket is bucket)


def post(position: Position, kind: PostingKind, amounts: dict[Bucket, int]) -> Posted:
    """The position after adding each amount to its bucket; amounts of zero leave no entry."""
    after = replace(
        position,
        balance_micro=position.balance_micro + amounts.get(Bucket.BALANCE, 0),
        debt_micro=position.debt_micro - amounts.get(Bucket.DEBT, 0),
        emergency_used_micro=position.emergency_used_micro - amounts.get(Bucket.EMERGENCY, 0),
    )
    entries = tuple(
        Entry(bucket, kind, amount_micro, after.value_of(bucket))
        for bucket, amount_micro in amounts.items()
        if amount_micro
    )
    return Posted(after, entries)


def charge(position: Position, amount_micro: int) -> Posted:
    """Take a charge from the balance; a negative one (a settlement) gives back."""
    amounts = {Bucket.BALANCE: -amount_micro}
    posted = post(position, PostingKind.CHARGE, amounts)
    return posted if posted.entries else _nothing_charged(position)


def _nothing_charged(position: Position) -> Posted:
    """A charge of nothing still leaves its entry: it carries the registers."""
    entry = Entry(Bucket.BALANCE, PostingKind.CHARGE, 0, position.balance_micro)
    return Posted(position, (entry,))


def open_with_debt(position: Position, debt_micro: int) -> Posted:
    """Take over what the customer owed elsewhere."""
    return post(position, PostingKind.OPENING, {Bucket.DEBT: -debt_micro})
