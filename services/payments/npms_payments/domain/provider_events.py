"""What to do with something a provider tells about an order: apply it, set its money aside, or ask.

Money that arrived is never lost: what does not fit its order exactly goes to suspense. Money that
goes back is the transaction that is named, wherever it lies: with its order, in suspense, or where
somebody allocated it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from npms_payments.domain.lifecycle import UNFINISHED, Fact, State, Step, Verdict, step


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A provider's word on one order, in our terms.

    `txn_id` is the provider's number of the movement of money; only success and reversal have one,
    and a reversal names in `of_txn_id` the movement that it takes back. `chargeback` says
    that the payer's bank took it.
    """

    provider: str
    event_id: str
    fact: Fact
    order_id: UUID | None
    txn_id: str | None
    amount_micro: int
    currency: str
    chargeback: bool = False
    of_txn_id: str | None = None

    @property
    def source(self) -> str:
        """Name of the clearing account of this provider's money."""
        return f"online:{self.provider}"


@dataclass(frozen=True, slots=True)
class Order:
    """What must be known of an order to judge an event about it.

    `txn_id` is the movement that settled it, or whose reversal ended it before that.
    """

    state: State
    amount_micro: int
    currency: str
    txn_id: str | None
    account_open: bool


class Place(StrEnum):
    """Where money lies that came: with a payment, in suspense, or no longer here."""

    PAYMENT = "payment"
    SUSPENSE = "suspense"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Held:
    """Money that came, for the order that its provider named."""

    place: Place
    order_id: UUID | None
    amount_micro: int
    currency: str


class Action(StrEnum):
    SETTLE = "settled"
    REVERSE = "reversed"
    RETURN = "returned"
    CLOSE = "closed"
    SUSPEND = "suspense"
    REVIEW = "review"
    IGNORE = "ignored"


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` is where the order goes, None where it stays as it is."""

    action: Action
    state: State | None = None
    reason: str = ""


_IGNORE = Decision(Action.IGNORE)


def decide(
    order: Order | None,
    event: ProviderEvent,
    *,
    held: Held | None = None,
    taken_back: bool = False,
) -> Decision:
    """Judge `event` against the order it names (None: there is no such order).

    `held` is the money that a reversal names, None where it never came; `taken_back` says of money
    that comes that its reversal was told before.
    """
    if held is not None:
        return _held_back(held, event)
    decision = _decide(order, event)
    if decision.action is Action.SUSPEND and taken_back:
        return replace(decision, action=Action.RETURN)
    return decision


def _held_back(held: Held, event: ProviderEvent) -> Decision:
    if held.order_id != event.order_id:
        return Decision(Action.REVIEW, reason="reversal_of_another_order")
    if held.place is Place.GONE:
        return _IGNORE
    if (event.amount_micro, event.currency) != (held.amount_micro, held.currency):
        return Decision(Action.REVIEW, reason="reversal_mismatch")
    return Decision(Action.RETURN if held.place is Place.SUSPENSE else Action.REVERSE)


def _decide(order: Order | None, event: ProviderEvent) -> Decision:
    if order is None:
        action = Action.SUSPEND if event.fact is Fact.SUCCEEDED else Action.REVIEW
        return Decision(action, reason="unknown_order")
    if event.fact is Fact.REVERSED:
        return _never_came(order, event)
    taken = step(order.state, event.fact)
    if event.fact is Fact.SUCCEEDED:
        return _money_in(order, event, taken)
    if taken.verdict is Verdict.CONTRADICTS:
        return Decision(Action.REVIEW, reason=f"{event.fact}_after_{order.state}")
    if taken.verdict is Verdict.REPEATS:
        return _IGNORE
    return Decision(Action.CLOSE, taken.state)


def _money_in(order: Order, event: ProviderEvent, taken: Step) -> Decision:
    if taken.verdict is Verdict.CONTRADICTS:
        return Decision(Action.SUSPEND, reason=f"succeeded_after_{order.state}")
    if taken.verdict is Verdict.REPEATS:
        paid_again = order.txn_id not in {None, event.txn_id}
        return Decision(Action.SUSPEND, reason="paid_twice") if paid_again else _IGNORE
    reason = _misfit(order, event)
    if reason:
        return Decision(Action.SUSPEND, State.FAILED, reason)
    return Decision(Action.SETTLE, taken.state)


def _never_came(order: Order, event: ProviderEvent) -> Decision:
    """The reversal of money that we never heard of ends an order that waits for it."""
    if order.state is State.REVERSED and order.txn_id == event.of_txn_id:
        return _IGNORE
    if order.state not in UNFINISHED:
        return Decision(Action.REVIEW, reason="reversal_of_unknown_money")
    if (event.amount_micro, event.currency) != (order.amount_micro, order.currency):
        return Decision(Action.REVIEW, reason="reversal_mismatch")
    return Decision(Action.CLOSE, State.REVERSED)


def _misfit(order: Order, event: ProviderEvent) -> str:
    if event.currency != order.currency:
        return "currency_mismatch"
    if event.amount_micro != order.amount_micro:
        return "amount_mismatch"
    return "" if order.account_open else "account_closed"
