"""What to do with something a provider tells about an order: apply it, set its money aside, or ask.

Money that arrived is never lost: what does not fit its order exactly goes to suspense.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from npms_payments.domain.lifecycle import UNFINISHED, Fact, State, Step, Verdict, step


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A provider's word on one order, in our terms.

    `txn_id` is the provider's number of the movement of money; only success and reversal have one.
    `chargeback` says of a reversal that the payer's bank took the money back.
    """

    provider: str
    event_id: str
    fact: Fact
    order_id: UUID | None
    txn_id: str | None
    amount_micro: int
    currency: str
    chargeback: bool = False

    @property
    def source(self) -> str:
        """Name of the clearing account of this provider's money."""
        return f"online:{self.provider}"


@dataclass(frozen=True, slots=True)
class Order:
    """What must be known of an order to judge an event about it."""

    state: State
    amount_micro: int
    currency: str
    txn_id: str | None
    account_open: bool


class Action(StrEnum):
    SETTLE = "settled"
    REVERSE = "reversed"
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


def decide(order: Order | None, event: ProviderEvent) -> Decision:
    """Judge `event` against the order it names (None: there is no such order)."""
    if order is None:
        action = Action.SUSPEND if event.fact is Fact.SUCCEEDED else Action.REVIEW
        return Decision(action, reason="unknown_order")
    taken = step(order.state, event.fact)
    if event.fact is Fact.SUCCEEDED:
        return _money_in(order, event, taken)
    if taken.verdict is Verdict.CONTRADICTS:
        return Decision(Action.REVIEW, reason=f"{event.fact}_after_{order.state}")
    if taken.verdict is Verdict.REPEATS:
        return _IGNORE
    if event.fact is Fact.REVERSED:
        return _money_back(order, event)
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


def _money_back(order: Order, event: ProviderEvent) -> Decision:
    if (event.amount_micro, event.currency) != (order.amount_micro, order.currency):
        return Decision(Action.REVIEW, reason="reversal_mismatch")
    action = Action.CLOSE if order.state in UNFINISHED else Action.REVERSE
    return Decision(action, State.REVERSED)


def _misfit(order: Order, event: ProviderEvent) -> str:
    if event.currency != order.currency:
        return "currency_mismatch"
    if event.amount_micro != order.amount_micro:
        return "amount_mismatch"
    return "" if order.account_open else "account_closed"
