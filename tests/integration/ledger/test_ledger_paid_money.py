"""Only what was paid moves on or is refunded, and money that comes late goes back, too."""

from typing import Any

from tests.integration.ledger.acts import BOSS, move_out, reallocate, request_refund, transfer
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal


async def leave(house: Any, opened: Any) -> None:
    assert (await move_out(house, opened)).status_code == 200
    await house.end(opened)


async def test_a_floor_below_zero_is_never_turned_into_cash(house):
    """With a floor of −300: paid 10, moved 310 to a second account, moved out of that, 310 back."""
    lent = {**POLICY, "floor": "-300", "low_balance": [], "emergency": None}
    first = await house.open(credit_policy=lent)
    second = await house.open(customer=None, customer_id=first["customer_id"])
    assert refusal(await transfer(house, first, second, "1")) == (409, "not_enough_credit")
    await house.pay(first["account_id"], 10 * M)
    answer = await transfer(house, first, second, "310")
    assert refusal(answer) == (409, "not_enough_credit")
    assert "at most 10.000000" in answer.json()["detail"]
    assert (await transfer(house, first, second, "10")).status_code == 201
    await leave(house, second)
    assert (await request_refund(house, second)).json()["amount"]["amount"] == "10.000000"
    assert await house.broken() == []


async def test_what_was_used_below_zero_is_not_reallocated(house):
    lent = {**POLICY, "floor": "-300", "low_balance": [], "emergency": None}
    first, second = await house.open(credit_policy=lent), await house.open()
    await house.charge((first, 100 * M))
    paid = await house.pay(first["account_id"], 60 * M)
    assert refusal(await reallocate(house, paid, second)) == (409, "nothing_left")


async def test_what_is_owed_is_settled_before_money_moves_on(house):
    first = await house.open(opening_debt={"amount": "50", "currency": "KES"})
    second = await house.open(customer=None, customer_id=first["customer_id"])
    await house.pay(first["account_id"], 100 * M)
    assert await house.balance(first) == "75.000000", "25 went to the debt"
    assert refusal(await transfer(house, first, second, "51")) == (409, "not_enough_credit")
    assert (await transfer(house, first, second, "50")).status_code == 201


async def test_credit_that_nobody_paid_for_is_used_and_never_paid_out(house):
    opened, other = await house.open(), await house.open()
    body = {"amount": {"amount": "5", "currency": "KES"}, "reason": "we are sorry"}
    path = f"/v1/accounts/{opened['account_id']}/money-fixes"
    assert (await house.post(path, body, key="f")).status_code == 201
    assert refusal(await transfer(house, opened, other, "1")) == (409, "not_enough_credit")
    await house.pay(opened["account_id"], 3 * M)
    await leave(house, opened)
    payable = await request_refund(house, opened)
    assert payable.json()["amount"]["amount"] == "3.000000", payable.text
    assert await house.balance(opened) == "0.000000"
    await house.pay(opened["account_id"], 2 * M)
    assert (await request_refund(house, opened)).json()["amount"]["amount"] == "2.000000"
    assert await house.broken() == []


async def test_money_for_a_closed_and_refunded_account_is_refunded_again_or_reallocated(house):
    opened, other = await house.open(), await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await leave(house, opened)
    first = await request_refund(house, opened, sub="the-clerk")
    assert refusal(await request_refund(house, opened)) == (409, "refund_exists")
    late = await house.pay(opened["account_id"], 30 * M)
    asked = await reallocate(house, late, other)
    assert asked.status_code == 202, asked.text
    place = f"/v1/money-requests/{asked.json()['request_id']}"
    agreed = await house.agree(place, "approve", {"reason": "seen"}, **BOSS)
    assert agreed.status_code == 200, agreed.text
    assert [await house.balance(one) for one in (opened, other)] == ["0.000000", "30.000000"]
    await house.pay(opened["account_id"], 20 * M)
    again = await request_refund(house, opened, sub="the-clerk")
    assert (again.status_code, again.json()["amount"]["amount"]) == (201, "20.000000"), again.text
    assert again.json()["refund_id"] != first.json()["refund_id"]
    for one in (first, again):
        path = f"/v1/refunds/{one.json()['refund_id']}"
        assert (await house.agree(path, "pay", {"reference": "FT"}, **BOSS)).status_code == 200
    assert refusal(await request_refund(house, opened)) == (409, "refund_exists")
    assert await house.broken() == []
