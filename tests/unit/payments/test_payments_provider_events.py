from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.lifecycle import UNFINISHED, Fact, State
from npms_payments.domain.provider_events import (
    Action,
    Decision,
    Held,
    Order,
    Place,
    ProviderEvent,
    decide,
)

ORDER_ID = UUID("01933b1e-0000-7000-8000-000000000001")
PENDING = Order(State.PENDING, 100_000_000, "KES", None, account_open=True)
SETTLED = replace(PENDING, state=State.SETTLED, txn_id="t1")
PAID = ProviderEvent("paysim", "e1", Fact.SUCCEEDED, ORDER_ID, "t1", 100_000_000, "KES")
BACK = replace(PAID, fact=Fact.REVERSED, txn_id="r1", of_txn_id="t1")
orders = st.builds(
    Order,
    state=st.sampled_from(State),
    amount_micro=st.integers(1, 3),
    currency=st.sampled_from(["KES", "ZAR"]),
    txn_id=st.sampled_from([None, "t1", "t2"]),
    account_open=st.booleans(),
)
events = st.builds(
    ProviderEvent,
    provider=st.just("paysim"),
    event_id=st.just("e1"),
    fact=st.sampled_from([Fact.SUCCEEDED, Fact.FAILED, Fact.EXPIRED, Fact.REVERSED]),
    order_id=st.just(ORDER_ID),
    txn_id=st.sampled_from(["t1", "t2"]),
    amount_micro=st.integers(1, 3),
    currency=st.sampled_from(["KES", "ZAR"]),
)


def test_money_that_fits_settles() -> None:
    assert decide(PENDING, PAID) == Decision(Action.SETTLE, State.SETTLED)
    assert PAID.source == "online:paysim"


@pytest.mark.parametrize(
    ("order", "event", "reason"),
    [
        (PENDING, replace(PAID, amount_micro=1), "amount_mismatch"),
        (PENDING, replace(PAID, currency="ZAR"), "currency_mismatch"),
        (replace(PENDING, account_open=False), PAID, "account_closed"),
        (None, PAID, "unknown_order"),
        (replace(PENDING, state=State.EXPIRED), PAID, "succeeded_after_expired"),
        (replace(PENDING, state=State.FAILED), PAID, "succeeded_after_failed"),
        (SETTLED, replace(PAID, txn_id="t2"), "paid_twice"),
    ],
)
def test_money_that_does_not_fit_is_set_aside(
    order: Order | None, event: ProviderEvent, reason: str
) -> None:
    decision = decide(order, event)
    assert (decision.action, decision.reason) == (Action.SUSPEND, reason)


@pytest.mark.parametrize("fact", [Fact.FAILED, Fact.EXPIRED])
def test_a_late_contradiction_is_reviewed(fact: Fact) -> None:
    decision = decide(SETTLED, replace(PAID, fact=fact))
    assert decision == Decision(Action.REVIEW, reason=f"{fact}_after_settled")


def test_a_full_reversal_takes_back_what_it_names_and_a_partial_one_is_reviewed() -> None:
    held = Held(Place.PAYMENT, ORDER_ID, 100_000_000, "KES")
    assert decide(SETTLED, BACK, held=held) == Decision(Action.REVERSE)
    aside = replace(held, place=Place.SUSPENSE)
    assert decide(SETTLED, BACK, held=aside) == Decision(Action.RETURN)
    assert decide(SETTLED, BACK, held=replace(held, place=Place.GONE)).action is Action.IGNORE
    partial = decide(SETTLED, replace(BACK, amount_micro=1), held=held)
    assert partial.reason == "reversal_mismatch"
    assert decide(SETTLED, BACK, held=replace(held, order_id=None)).action is Action.REVIEW


def test_a_reversal_of_money_that_never_came_leaves_what_did_alone() -> None:
    assert decide(SETTLED, BACK).reason == "reversal_of_unknown_money"


def test_a_reversal_before_its_confirmation_closes_the_order() -> None:
    assert decide(PENDING, BACK) == Decision(Action.CLOSE, State.REVERSED)
    ended = replace(PENDING, state=State.REVERSED, txn_id="t1")
    assert decide(ended, PAID).action is decide(ended, BACK).action is Action.IGNORE
    assert decide(ended, replace(PAID, txn_id="t2")).action is Action.SUSPEND


def test_an_unknown_order_without_money_is_reviewed() -> None:
    assert decide(None, replace(PAID, fact=Fact.FAILED)).action is Action.REVIEW


@given(orders, events)
def test_money_settles_only_on_an_unfinished_order_it_fits(
    order: Order, event: ProviderEvent
) -> None:
    decision = decide(order, event)
    fits = (order.amount_micro, order.currency) == (event.amount_micro, event.currency)
    may_settle = event.fact is Fact.SUCCEEDED and order.state in UNFINISHED
    assert (decision.action is Action.SETTLE) == (may_settle and fits and order.account_open)


@given(orders, events)
def test_money_in_is_settled_set_aside_or_known(order: Order, event: ProviderEvent) -> None:
    decision = decide(order, replace(event, fact=Fact.SUCCEEDED))
    assert decision.action in {Action.SETTLE, Action.SUSPEND, Action.IGNORE}
    if decision.action is Action.IGNORE:
        assert order.state in {State.SETTLED, State.REVERSED}
        assert order.txn_id in {None, event.txn_id}
