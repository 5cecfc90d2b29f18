"""What an account has, and the model of where its money lies.

Every micro-unit of a customer lies in exactly one of four buckets. Their values are signed from
the customer's side, positive meaning that we owe the customer:

- `balance`: credit bought and not yet used; negative when more was used than could be cut in time;
- `debt`: −debt_micro, all debts together, what is recovered from top-ups or by time;
- `emergency`: −emergency_used_micro, what was lent;
- `grant`: all that was granted and is neither used nor expired.

A charge always takes its whole amount from the balance, in one posting. While emergency credit is
invoked, it lends what the balance then lacks to the credit floor, up to its limit, as a posting of
its own (emergency −d, balance +d): so an account on emergency credit rests exactly on its floor,
and only what exceeds the limit (use in friendly hours, a late cut) makes the balance go below.
How a sum was cut into charges therefore never changes where the money lies. Nor does it with
grants: what a charge may draw on them comes back to the balance as postings of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from npms_ledger.domain import debt as debts_
from npms_ledger.domain.debt import GENERAL, Debt
from npms_ledger.domain.grant import Grant
from npms_ledger.domain.vend import NO_VEND, Vend

UNREACHABLE_MICRO = 2**62
"""No balance comes near it: `-UNREACHABLE_MICRO` is a wake level that is never reached."""


class Bucket(StrEnum):
    BALANCE = "balance"
    DEBT = "debt"
    EMERGENCY = "emergency"
    GRANT = "grant"


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
    VEND_CHARGE = "vend_charge"
    DEBT_CHARGE = "debt_charge"
    GRANTED = "granted"
    GRANT_DRAWN = "grant_drawn"
    GRANT_EXPIRED = "grant_expired"


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
    `debt_micro` is the sum of `debts`: what exceeds those given is the general debt.
    `recovered_micro` is what top-ups gave to debts in the period of the policy's cap that began on
    `recovered_since`.
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
    debts: tuple[Debt, ...] = ()
    recovered_micro: int = 0
    recovered_since: date | None = None
    grants: tuple[Grant, ...] = ()
    vend: Vend = NO_VEND
    opened_at: datetime | None = None

    def __post_init__(self) -> None:
        unnamed = self.debt_micro - debts_.total_micro(self.debts)
        assert unnamed >= 0, "debts exceed the debt"
        if unnamed:
            object.__setattr__(self, "debts", debts_.changed(self.debts, GENERAL, unnamed))

    def value_of(self, bucket: Bucket) -> int:
        """Micro-units in a bucket, signed from the customer's side."""
        if bucket is Bucket.BALANCE:
            return self.balance_micro
        if bucket is Bucket.DEBT:
            return -self.debt_micro
        if bucket is Bucket.GRANT:
            return self.grant_micro
        return -self.emergency_used_micro

    @property
    def grant_micro(self) -> int:
        """What is left of all grants."""
        return sum(grant.remaining_micro for grant in self.grants)

    @property
    def net_micro(self) -> int:
        """All buckets together."""
        return self.balance_micro - self.debt_micro - self.emergency_used_micro + self.grant_micro


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting to a bucket; `after_micro` is the bucket's signed value after it.

    `item` is the number of the debt or grant that it touches, `label` that one's name or another
    word for what it is; `tax_micro` is contained in a charge that a top-up pays.
    """

    bucket: Bucket
    kind: PostingKind
    amount_micro: int
    after_micro: int
    item: int | None = None
    label: str = ""
    tax_micro: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """An amount for a bucket, and for one debt or grant in it."""

    bucket: Bucket
    amount_micro: int
    item: int | None = None
    label: str = ""
    tax_micro: int = 0


@dataclass(frozen=True, slots=True)
class Posted:
    """A position after a change, and the entries that made it, in order."""

    position: Position
    entries: tuple[Entry, ...]

    def parts(self, bucket: Bucket) -> int:
        """Micro-units that went to a bucket."""
        return sum(entry.amount_micro for entry in self.entries if entry.bucket is bucket)

    def of_kind(self, kind: PostingKind) -> int:
        """Micro-units of all postings of a kind."""
        return sum(entry.amount_micro for entry in self.entries if entry.kind is kind)

    def labelled(self, bucket: Bucket, label: str) -> int:
        """Micro-units of all of a bucket's postings with a label."""
        return sum(
            entry.amount_micro
            for entry in self.entries
            if entry.bucket is bucket and entry.label == label
        )


def post(position: Position, kind: PostingKind, amounts: dict[Bucket, int]) -> Posted:
    """The position after adding each amount to its bucket; amounts of zero leave no entry.

    What is added to the debt without saying to which is the general debt's; what is taken from it
    is taken from the debts in their order.
    """
    moves: list[Move] = []
    for bucket, amount_micro in amounts.items():
        if bucket is Bucket.DEBT:
            moves += _debt_moves(position, amount_micro)
        else:
            moves.append(Move(bucket, amount_micro))
    return post_moves(position, kind, moves)


def post_moves(position: Position, kind: PostingKind, moves: Iterable[Move]) -> Posted:
    """The position after each move in turn; moves of nothing leave no entry."""
    entries: list[Entry] = []
    for move in moves:
        if not move.amount_micro:
            continue
        position = _moved(position, move)
        after_micro = position.value_of(move.bucket)
        about = move.item, move.label, move.tax_micro
        entries.append(Entry(move.bucket, kind, move.amount_micro, after_micro, *about))
    return Posted(position, tuple(entries))


def _moved(position: Position, move: Move) -> Position:
    amount_micro = move.amount_micro
    match move.bucket:
        case Bucket.BALANCE:
            return replace(position, balance_micro=position.balance_micro + amount_micro)
        case Bucket.EMERGENCY:
            used_micro = position.emergency_used_micro - amount_micro
            return replace(position, emergency_used_micro=used_micro)
        case Bucket.DEBT:
            assert move.item is not None
            debts = debts_.changed(position.debts, move.item, -amount_micro)
            return replace(position, debt_micro=position.debt_micro - amount_micro, debts=debts)
        case Bucket.GRANT:
            return replace(position, grants=_regranted(position.grants, move))


def _regranted(grants: tuple[Grant, ...], move: Move) -> tuple[Grant, ...]:
    return tuple(
        replace(grant, remaining_micro=grant.remaining_micro + move.amount_micro)
        if grant.number == move.item
        else grant
        for grant in grants
    )


def _debt_moves(position: Position, amount_micro: int) -> list[Move]:
    if amount_micro <= 0:
        return [Move(Bucket.DEBT, amount_micro, GENERAL)]
    moves = []
    for debt in sorted(position.debts, key=lambda debt: (debt.terms.priority, debt.number)):
        part = min(amount_micro, debt.remaining_micro)
        amount_micro -= part
        moves.append(Move(Bucket.DEBT, part, debt.number, debt.terms.label))
    assert not amount_micro, "more than is owed"
    return moves


def charge(position: Position, amount_micro: int) -> Posted:
    """Take a charge from the balance; a negative one (a settlement) gives back."""
    move = Move(Bucket.BALANCE, -amount_micro)
    posted = post_moves(position, PostingKind.CHARGE, [move])
    return posted if posted.entries else _nothing_charged(position)


def _nothing_charged(position: Position) -> Posted:
    """A charge of nothing still leaves its entry: it carries the registers."""
    entry = Entry(Bucket.BALANCE, PostingKind.CHARGE, 0, position.balance_micro)
    return Posted(position, (entry,))


def open_with_debt(position: Position, debt_micro: int) -> Posted:
    """Take over what the customer owed elsewhere."""
    return post(position, PostingKind.OPENING, {Bucket.DEBT: -debt_micro})


def open_with_credit(position: Position, credit_micro: int) -> Posted:
    """Take over what the customer had elsewhere."""
    return post(position, PostingKind.OPENING, {Bucket.BALANCE: credit_micro})
