"""What may not be sold is refused before money is taken; money that came by itself is credited."""

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.payments.conftest import OPENED_AT, House

from npms_shared.contracts.ledger import CreditPosted, VendLimitsSet

M = 1_000_000


async def limit(house: House, **changes: Any) -> None:
    fields = {
        "account_id": 1,
        "currency": "KES",
        "minimum_micro": 20 * M,
        "maximum_micro": 200 * M,
        "max_balance_micro": 500 * M,
        "balance_micro": 350 * M,
        "set_at": OPENED_AT,
    }
    await house.hear("payments.accounts", VendLimitsSet(**{**fields, **changes}))


async def bring(house: House, amount: str, source: str = "partner") -> Any:
    body = {
        "account_number": "1",
        "amount": {"amount": amount, "currency": "KES"},
        "source": source,
        "reference": f"R-{next(house.keys)}",
    }
    return await house.post("/v1/payments", body)


REFUSED = [
    ("19.999999", "below_minimum", "20.000000"),
    ("200.000001", "above_maximum", "200.000000"),
    ("150.000001", "balance_above_maximum", "500.000000"),
]


@pytest.mark.parametrize(("amount", "code", "named"), REFUSED)
async def test_p8_outside_the_limits_nothing_is_taken(
    house: House, amount: str, code: str, named: str
) -> None:
    await house.open_account(1)
    await limit(house)
    for answer in (await house.top_up(1, amount), await bring(house, amount)):
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert named in answer.json()["detail"]
    assert await house.count("payment") == 0
    assert await house.count("arrival") == 0
    assert await house.count("checkout") == 0


async def test_p8_a_voucher_outside_the_limits_stays_unused(house: House) -> None:
    await house.open_account(1)
    await house.open_account(2)
    await limit(house)
    [pin] = await house.make_vouchers(value="151")
    refused = await house.post("/v1/accounts/1/vouchers", {"pin": pin})
    assert (refused.status_code, refused.json()["code"]) == (422, "balance_above_maximum")
    assert "At most 150.000000" in refused.json()["detail"]
    used = await house.post("/v1/accounts/2/vouchers", {"pin": pin})
    assert used.status_code == 201, used.text


async def test_p8_money_that_came_by_itself_is_credited_all_the_same(house: House) -> None:
    await house.open_account(1)
    await limit(house)
    for amount in ("5", "300", "151"):
        assert (await bring(house, amount, source="bank")).status_code == 201
    assert len(await house.told()) == 3


async def test_p8_what_is_on_its_way_counts_and_a_credit_tells_the_balance(house: House) -> None:
    await house.open_account(1)
    await limit(house)
    first = await bring(house, "100")
    assert first.status_code == 201, first.text
    assert (await bring(house, "60")).json()["code"] == "balance_above_maximum"
    credited = CreditPosted(
        account_id=1,
        payment_id=first.json()["payment_id"],
        source="partner",
        currency="KES",
        amount_micro=100 * M,
        to_debt_micro=0,
        to_emergency_micro=0,
        to_balance_micro=100 * M,
        balance_micro=430 * M,
        debt_micro=0,
        emergency_used_micro=0,
        posted_at=OPENED_AT + timedelta(minutes=1),
    )
    await house.hear("payments.credits", credited)
    assert (await bring(house, "71")).json()["code"] == "balance_above_maximum"
    await limit(house, balance_micro=0)
    assert (await bring(house, "71")).json()["code"] == "balance_above_maximum", "an older word"
    await limit(house, balance_micro=429 * M, set_at=OPENED_AT + timedelta(hours=1))
    assert (await bring(house, "71")).status_code == 201


async def test_p8_limits_heard_before_the_opening_count(house: House) -> None:
    await limit(house)
    await house.open_account(1)
    assert (await house.top_up(1, "10")).json()["code"] == "below_minimum"
    await limit(house, minimum_micro=None, set_at=OPENED_AT + timedelta(hours=1))
    assert (await house.top_up(1, "10")).status_code == 201
