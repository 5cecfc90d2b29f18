"""Payments by bank and partners, suspense, receipts, and who sees what."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.integration.payments.conftest import House

from npms_shared.contracts.ledger import (
    AccountClosed,
    AccountOpened,
    CreditPosted,
    VendLimitsSet,
)
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import Unprocessable

POSTED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def money_in(account: str = "1", amount: str = "75.5", **changes: Any) -> dict[str, Any]:
    return {
        "account_number": account,
        "amount": {"amount": amount, "currency": "KES"},
        "source": "bank",
        "reference": "FT-1",
        **changes,
    }


def credit(payment_id: str, *parts: int, account_id: int = 1) -> CreditPosted:
    to_debt, to_emergency, to_balance = parts
    return CreditPosted(
        account_id=account_id,
        payment_id=UUID(payment_id),
        source="bank",
        currency="KES",
        amount_micro=sum(parts),
        to_debt_micro=to_debt,
        to_emergency_micro=to_emergency,
        to_balance_micro=to_balance,
        balance_micro=12_000_000,
        debt_micro=0,
        emergency_used_micro=0,
        posted_at=POSTED_AT,
    )


async def test_bank_money_for_a_known_account_settles(house: House) -> None:
    await house.open_account(1)
    answer = await house.post("/v1/payments", money_in(" 1 "))
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["source"]) == ("settled", "bank")
    [told] = await house.told()
    assert (told["account_id"], told["amount_micro"]) == (1, 75_500_000)
    again = await house.post("/v1/payments", money_in())
    assert (again.status_code, again.json()["code"]) == (409, "already_received")
    assert len(await house.told()) == 1


async def test_the_same_reference_at_once_settles_once(house: House) -> None:
    await house.open_account(1)
    answers = await asyncio.gather(*(house.post("/v1/payments", money_in()) for _ in range(10)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 9


@pytest.mark.parametrize("account", ["77", "0", "KE-1", "9" * 30, "١"])
async def test_money_for_an_unknown_account_waits_in_suspense(house: House, account: str) -> None:
    await house.open_account(1)
    answer = await house.post("/v1/payments", money_in(account))
    assert answer.status_code == 202
    item = answer.json()
    assert (item["state"], item["reason"]) == ("open", "account_unknown")
    assert item["account_given"] == account
    assert await house.told() == []
    again = await house.post("/v1/payments", money_in(account))
    assert again.json()["code"] == "already_received"
    path = f"/v1/suspense/{item['suspense_id']}/allocate"
    body = {"account_id": 1, "reason": "The payer called."}
    given = await house.post(path, body, key="a")
    assert (given.status_code, given.json()["state"]) == (201, "settled")
    assert (await house.post(path, body, key="a")).json() == given.json()
    assert (await house.post(path, body)).json()["code"] == "suspense_allocated"
    [told] = await house.told()
    assert (told["source"], told["reference"]) == ("bank", "FT-1")
    [now] = (await house.get("/v1/suspense?state=allocated")).json()["items"]
    assert (now["payment_id"], now["allocated_reason"]) == (
        given.json()["payment_id"],
        "The payer called.",
    )


async def test_bad_allocations(house: House) -> None:
    await house.open_account(1)
    await house.open_account(2, currency="ZAR")
    item = (await house.post("/v1/payments", money_in("77"))).json()
    path = f"/v1/suspense/{item['suspense_id']}/allocate"
    zar = await house.post(path, {"account_id": 2, "reason": "a guess"})
    assert zar.json()["code"] == "wrong_currency"
    assert (await house.post(path, {"account_id": 3, "reason": "a guess"})).status_code == 404
    assert (await house.post(path, {"account_id": 1, "reason": " "})).status_code == 422
    await house.close_account(1)
    closed = await house.post(path, {"account_id": 1, "reason": "a guess"})
    assert closed.json()["code"] == "account_closed"
    customer = house.who("customer", customer_id=1)
    assert (await house.post(path, {}, by=customer)).status_code == 403
    missing = f"/v1/suspense/{new_id()}/allocate"
    assert (await house.post(missing, {"account_id": 1, "reason": "x"})).status_code == 404
    assert await house.count("suspense_item", "state = 'open'") == 1


async def test_money_for_a_closed_account_waits_in_suspense(house: House) -> None:
    await house.close_account(1)
    await house.open_account(1)
    answer = await house.post("/v1/payments", money_in())
    assert (answer.status_code, answer.json()["reason"]) == (202, "account_closed")


async def test_money_that_overtook_the_opening_of_its_account_goes_to_it_when_that_is_heard(
    house: House,
) -> None:
    """Nobody has to allocate it; what came before the account was open, or in another currency, or
    for another number, stays in suspense."""
    mine = (await house.post("/v1/payments", money_in(" 07 "))).json()
    assert mine["reason"] == "account_unknown"
    foreign = {"amount": "5", "currency": "ZAR"}
    for others in (
        money_in("8", reference="FT-2"),
        money_in("7", reference="FT-3") | {"amount": foreign},
    ):
        assert (await house.post("/v1/payments", others)).status_code == 202
    await house.open_account(7)
    [told] = await house.told()
    assert (told["account_id"], told["reference"]) == (7, "FT-1")
    [item] = (await house.get("/v1/suspense?state=allocated")).json()["items"]
    assert (item["suspense_id"], item["payment_id"]) == (mine["suspense_id"], told["payment_id"])
    await house.open_account(7)
    assert len(await house.told()) == 1
    late = AccountOpened(
        account_id=8, customer_id=1, customer_name="", currency="KES",
        time_zone="Africa/Nairobi", language="en", contacts=[],
        opened_at=house.clock.now() + timedelta(minutes=1),
    )  # fmt: skip
    await house.hear("payments.accounts", late)
    assert len(await house.told()) == 1


async def test_what_is_said_of_an_account_leaves_the_same_in_every_order(house: House) -> None:
    def said(account_id: int) -> list[AccountOpened | AccountClosed | VendLimitsSet]:
        return [
            AccountOpened(
                account_id=account_id, customer_id=1, customer_name="", currency="KES",
                time_zone="Africa/Nairobi", language="en", contacts=[], opened_at=POSTED_AT,
            ),
            AccountClosed(account_id=account_id, closed_at=POSTED_AT),
            *(
                VendLimitsSet(
                    account_id=account_id, currency="KES", minimum_micro=at, maximum_micro=None,
                    max_balance_micro=None, balance_micro=at * 2,
                    set_at=POSTED_AT + timedelta(minutes=at),
                )
                for at in (1, 2)
            ),
        ]  # fmt: skip

    for account_id, order in enumerate(itertools.permutations(range(4)), start=1):
        for place in order:
            await house.hear("payments.accounts", said(account_id)[place])
    distinct = "SELECT DISTINCT to_jsonb(a) - 'account_id' FROM account a"
    assert await house.count(f"({distinct}) AS kinds") == 1
    assert await house.count("account", "vend_min_micro = 2 AND balance_micro = 4") == 24


async def test_partners_have_their_own_numbers_and_see_their_own_sales(house: House) -> None:
    await house.open_account(1)
    shop = house.who("partner", subject="till-1", partner_id="shop")
    kiosk = house.who("partner", subject="till-1", partner_id="kiosk")
    sale = money_in(source="partner")
    ours = await house.post("/v1/payments", sale, by=shop)
    assert ours.status_code == 201
    assert (await house.post("/v1/payments", sale, by=kiosk)).status_code == 201
    assert (await house.post("/v1/payments", sale, by=shop)).status_code == 409
    other = sale | {"reference": "FT-2"}
    assert (await house.post("/v1/payments", other, by=shop, key="k")).status_code == 201
    theirs = await house.post("/v1/payments", other, by=kiosk, key="k")
    assert theirs.json()["code"] == "idempotency_key_reused"
    path = f"/v1/payments/{ours.json()['payment_id']}"
    assert (await house.get(path, by=shop)).status_code == 200
    assert (await house.get(path, by=kiosk)).status_code == 404
    assert (await house.get("/v1/accounts/1/payments", by=shop)).status_code == 404
    assert (await house.post("/v1/payments", money_in(), by=shop)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": {"amount": "0.000000", "currency": "KES"}}, "amount_zero"),
        ({"amount": {"amount": "-1", "currency": "KES"}}, "amount_negative"),
        ({"amount": {"amount": "100001", "currency": "KES"}}, "amount_above_limit"),
        ({"amount": {"amount": "5", "currency": "ZAR"}}, "wrong_currency"),
        ({"amount": {"amount": "1.0000001", "currency": "KES"}}, "invalid_request"),
        ({"amount": {"amount": 5.0, "currency": "KES"}}, "invalid_request"),
        ({"reference": "a\0b"}, "invalid_request"),
        ({"reference": ""}, "invalid_request"),
        ({"source": "voucher"}, "invalid_request"),
        ({"extra": 1}, "invalid_request"),
    ],
)
async def test_bad_payments_are_refused_and_leave_nothing(
    house: House, changes: dict[str, Any], code: str
) -> None:
    await house.open_account(1)
    answer = await house.post("/v1/payments", money_in() | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await house.count("arrival") == 0
    assert await house.count("idempotency_key") == 0


async def test_the_receipt_shows_what_the_ledger_credited(house: House) -> None:
    await house.open_account(1)
    made = (await house.post("/v1/payments", money_in())).json()
    await house.hear(
        "payments.credits", credit(made["payment_id"], 5_500_000, 10_000_000, 60_000_000)
    )
    shown = (await house.payment(made["payment_id"]))["credit"]
    parts = {name: shown[name]["amount"] for name in shown if name != "posted_at"}
    assert parts == {
        "to_debt": "5.500000",
        "to_emergency": "10.000000",
        "to_balance": "60.000000",
        "balance_after": "12.000000",
    }
    assert datetime.fromisoformat(shown["posted_at"]) == POSTED_AT


async def test_credits_that_do_not_fit_are_parked(house: House) -> None:
    await house.open_account(1)
    made = (await house.post("/v1/payments", money_in())).json()["payment_id"]
    for event, code in (
        (credit(str(new_id()), 0, 0, 75_500_000), "credit_without_payment"),
        (credit(made, 0, 0, 75_000_000), "credit_differs"),
        (credit(made, 0, 0, 75_500_000, account_id=2), "credit_differs"),
    ):
        with pytest.raises(Unprocessable) as parked:
            await house.hear("payments.credits", event)
        assert parked.value.code == code
    await house.hear("payments.credits", credit(made, 0, 0, 75_500_000))
    with pytest.raises(Unprocessable, match="credited_twice"):
        await house.hear("payments.credits", credit(made, 0, 0, 75_500_000))
    later = credit(made, 75_500_000, 0, 0).model_copy(
        update={"posted_at": POSTED_AT + timedelta(hours=1)}
    )
    await house.hear("payments.credits", later)
    assert await house.count("payment", "to_debt_micro = 75500000") == 1, "of a restored ledger"


async def test_payments_are_listed_newest_first_page_by_page(house: House) -> None:
    await house.open_account(1, customer_id=7)
    made = [
        (await house.post("/v1/payments", money_in(reference=f"r{i}"))).json()["payment_id"]
        for i in range(5)
    ]
    mine, seen, cursor = house.who("customer", customer_id=7), [], ""
    for _ in range(3):
        page = (await house.get(f"/v1/accounts/1/payments?limit=2{cursor}", by=mine)).json()
        seen += [item["payment_id"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    assert page["next_cursor"] is None
    for bad in ("x", "WyJ4Il0", "e30"):
        answer = await house.get(f"/v1/accounts/1/payments?cursor={bad}")
        assert answer.json()["code"] == "bad_cursor"
    theirs = house.who("customer", customer_id=8)
    assert (await house.get("/v1/accounts/1/payments", by=theirs)).status_code == 404
    assert (await house.get(f"/v1/payments/{made[0]}", by=theirs)).status_code == 404
    assert (await house.get(f"/v1/payments/{made[0]}", by=mine)).status_code == 200
    assert (await house.get(f"/v1/payments/{new_id()}")).status_code == 404
    assert (await house.get(f"/v1/accounts/{2**63}/payments")).status_code == 422


async def test_without_a_token_nothing_is_shown(house: House) -> None:
    for path in ("/v1/accounts/1/payments", "/v1/suspense", "/v1/payment-reviews"):
        assert (await house.api.get(path)).status_code == 401
    document = house.service.app.openapi()
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(operations) == len(set(operations))
    assert {"order_top_up", "redeem_voucher", "record_payment"} <= set(operations)
