"""What a provider takes back: the transaction that it names, wherever its money lies."""

from typing import Any

from tests.integration.payments.conftest import House
from tests.integration.payments.test_payments_top_ups import (
    REVERSED,
    at_provider,
    event,
    order,
    outcomes,
    send,
)


async def said(house: House, body: Any) -> str:
    return str((await send(house, body)).json()["outcome"])


def back(made: dict[str, Any], of: str, number: str = "rf_1", **changes: Any) -> dict[str, Any]:
    named = {"refunded_transaction_id": of, "transaction_id": number, **changes}
    return event(made, "refunded", **named)


async def paid_twice(house: House) -> dict[str, Any]:
    """An order settled by tx_1, with tx_2 in suspense."""
    made = await order(house)
    assert await said(house, event(made)) == "settled"
    assert await said(house, event(made, transaction_id="tx_2")) == "suspense"
    return made


async def test_a_refund_of_the_second_payment_closes_its_suspense_and_leaves_the_first(
    house: House,
) -> None:
    made = await paid_twice(house)
    assert await said(house, back(made, "tx_2", refund_reason="chargeback")) == "returned"
    assert (await house.payment(made["payment_id"]))["state"] == "settled"
    assert await house.told(REVERSED) == []
    [item] = (await house.get("/v1/suspense?state=returned")).json()["items"]
    assert (item["reference"], item["reason"]) == ("tx_2", "paid_twice")
    assert (item["returned_by"], item["returned_reference"]) == ("paysim", "rf_1")
    assert item["returned_reason"] == "chargeback"
    assert item["returned_at"] is not None
    path = f"/v1/suspense/{item['suspense_id']}/allocate"
    refused = await house.post(path, {"account_id": 1, "reason": "The payer called."})
    assert (refused.status_code, refused.json()["code"]) == (409, "suspense_returned")
    again = back(made, "tx_2", "rf_2")
    assert await said(house, again) == "ignored"
    assert await said(house, back(made, "tx_1", "rf_3")) == "reversed"
    assert [one["reason"] for one in await house.told(REVERSED)] == ["refunded_by_provider"]


async def test_a_refund_of_allocated_money_reverses_where_it_went(house: House) -> None:
    made = await paid_twice(house)
    await house.open_account(2, customer_id=2)
    [item] = (await house.get("/v1/suspense?state=open")).json()["items"]
    path = f"/v1/suspense/{item['suspense_id']}/allocate"
    given = await house.post(path, {"account_id": 2, "reason": "The payer called."})
    assert await said(house, back(made, "tx_2")) == "reversed"
    [told] = await house.told(REVERSED)
    assert (told["payment_id"], told["account_id"]) == (given.json()["payment_id"], 2)
    assert (await house.payment(made["payment_id"]))["state"] == "settled"


async def test_a_refund_heard_before_its_second_payment_meets_it_when_it_comes(
    house: House,
) -> None:
    made = await order(house)
    assert await said(house, event(made)) == "settled"
    assert await said(house, back(made, "tx_2")) == "review"
    assert await said(house, event(made, transaction_id="tx_2")) == "returned"
    assert await house.count("suspense_item", "state = 'returned'") == 1
    assert await house.told(REVERSED) == []


async def test_other_money_after_a_refund_heard_before_its_confirmation_is_set_aside(
    house: House,
) -> None:
    made = await order(house)
    assert await said(house, back(made, "tx_1")) == "closed"
    assert await said(house, event(made)) == "ignored"
    assert await said(house, event(made, transaction_id="tx_2")) == "suspense"
    assert await house.told() == []


async def test_what_does_not_fit_the_money_it_names_is_reviewed(house: House) -> None:
    made = await paid_twice(house)
    assert await said(house, back(made, "tx_2", amount="40")) == "review"
    await house.open_account(3)
    other = (await house.top_up(3)).json()
    assert await said(house, back(other, "tx_2", "rf_2")) == "review"
    found = (await house.get("/v1/payment-reviews")).json()["items"]
    reasons = [one["reason"] for one in found]
    assert reasons == ["reversal_of_another_order", "reversal_mismatch"]
    unnamed = event(made, "refunded", transaction_id="rf_3")
    assert await said(house, unnamed) == "review"
    assert await house.count("suspense_item", "state = 'open'") == 1
    assert (await house.payment(made["payment_id"]))["state"] == "settled"


async def test_the_provider_names_what_it_gives_back(house: House) -> None:
    made = await order(house)
    first = await at_provider(house, made)
    second = await at_provider(house, made, "pay-again")
    assert (outcomes(first), outcomes(second)) == (["settled"], ["suspense"])
    of = second["transaction_id"]
    answer = await at_provider(house, made, "refund", transaction_id=of)
    assert (outcomes(answer), answer["refunded_transaction_id"]) == (["returned"], of)
    kept = (await house.sim.get("/settled")).json()
    assert [one["transaction_id"] for one in kept] == [first["transaction_id"]]
    assert outcomes(await at_provider(house, made, "refund")) == ["reversed"]
    assert (await house.sim.get("/settled")).json() == []


async def test_money_for_a_closed_account_goes_back_from_suspense_by_two_people(
    house: House,
) -> None:
    await house.open_account(1)
    await house.close_account(1)
    brought = {
        "account_number": "1",
        "amount": {"amount": "5", "currency": "KES"},
        "source": "bank",
        "reference": "FT-1",
    }
    item = (await house.post("/v1/payments", brought)).json()
    assert item["reason"] == "account_closed"
    clerk = house.who("operator", subject="the-clerk")
    path = f"/v1/suspense/{item['suspense_id']}/return"
    body = {"reference": "FT-9", "reason": "the payer asked for it"}
    asked = await house.post(path, body, by=clerk)
    assert asked.status_code == 202, asked.text
    assert (await house.post(path, body, by=clerk)).json()["code"] == "allocation_requested"
    place = f"/v1/money-requests/{asked.json()['request_id']}"
    assert (await house.agree(place, by=clerk)).json()["code"] == "second_person_required"
    assert (await house.agree(place)).json()["state"] == "posted"
    [kept] = (await house.get("/v1/suspense?state=returned")).json()["items"]
    assert (kept["returned_by"], kept["returned_reference"]) == ("the-clerk", "FT-9")
    assert (await house.post(path, body, by=clerk)).json()["code"] == "suspense_returned"
    assert await house.told() == []
