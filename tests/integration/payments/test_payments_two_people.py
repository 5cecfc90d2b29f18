"""Money that staff types in or allocates takes two people; the second approves what they saw."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.payments.conftest import House

from npms_shared.ids import new_id

UGX = {"currency": "UGX"}


def money_in(amount: str = "75", account: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "account_number": account,
        "amount": {"amount": amount, "currency": "UGX"},
        "source": "bank",
        "reference": "FT-1",
        **changes,
    }


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def place_of(asked: httpx.Response) -> str:
    assert asked.status_code == 202, asked.text
    return f"/v1/money-requests/{asked.json()['request_id']}"


@pytest.fixture
def clerk(house: House) -> dict[str, str]:
    return house.who("operator", subject="the-clerk")


async def test_a_bank_payment_typed_in_waits_for_a_second_person(
    house: House, clerk: dict[str, str]
) -> None:
    await house.open_account(1, **UGX)
    asked = await house.post("/v1/payments", money_in(), by=clerk, key="k")
    assert (await house.post("/v1/payments", money_in(), by=clerk, key="k")).json() == asked.json()
    again = await house.post("/v1/payments", money_in(), by=clerk)
    assert refusal(again) == (409, "already_received")
    place = place_of(asked)
    assert (await house.get("/v1/money-requests?state=requested")).json()["items"] == [asked.json()]
    assert await house.told() == []
    assert refusal(await house.agree(place, by=clerk)) == (409, "second_person_required")
    boss = house.who("operator", subject="the-boss")
    unseen = await house.post(f"{place}/approve", {"reason": "seen"}, by=boss)
    assert refusal(unseen) == (428, "precondition_required")
    wrong = await house.post(f"{place}/approve", {"reason": "seen"}, by={**boss, "If-Match": '"x"'})
    assert refusal(wrong) == (412, "precondition_failed")
    done = (await house.agree(place, by=boss)).json()
    assert (done["state"], done["decided_by"]) == ("posted", "the-boss")
    [told] = await house.told()
    assert (told["payment_id"], told["amount_micro"]) == (done["payment_id"], 75_000_000)
    assert refusal(await house.agree(place)) == (409, "request_decided")
    assert refusal(await house.post("/v1/payments", money_in())) == (409, "already_received")


async def test_small_payments_of_one_person_count_together_for_a_day(
    house: House, clerk: dict[str, str]
) -> None:
    await house.open_account(1, **UGX)

    async def pay(number: int) -> int:
        body = money_in("2", reference=f"FT-{number}")
        return (await house.post("/v1/payments", body, by=clerk)).status_code

    assert sorted(await asyncio.gather(*map(pay, range(4)))) == [201, 201, 202, 202]
    assert len(await house.told()) == 2


async def test_a_partner_s_sale_is_no_typing_of_staff(house: House) -> None:
    await house.open_account(1, **UGX)
    shop = house.who("partner", subject="till-1", partner_id="shop")
    sale = money_in(source="partner")
    assert (await house.post("/v1/payments", sale, by=shop)).status_code == 201
    assert (await house.post("/v1/payments", sale)).status_code == 202, "by staff it is"


async def test_money_for_an_account_to_come_is_not_typed_in_by_one_person(
    house: House, clerk: dict[str, str]
) -> None:
    """Else it lay in suspense, and went to the account by itself once that is opened."""
    place = place_of(await house.post("/v1/payments", money_in(account="7"), by=clerk))
    await house.open_account(7, **UGX)
    assert await house.told() == []
    assert (await house.agree(place)).json()["state"] == "posted"
    assert len(await house.told()) == 1


async def test_suspense_is_allocated_by_two_who_did_not_type_it_in(
    house: House, clerk: dict[str, str]
) -> None:
    await house.open_account(1, **UGX)
    typed = place_of(await house.post("/v1/payments", money_in(account="77"), by=clerk))
    aside = (await house.agree(typed)).json()
    assert (aside["state"], aside["payment_id"]) == ("posted", None)
    allocate = f"/v1/suspense/{aside['suspense_id']}/allocate"
    body = {"account_id": 1, "reason": "The payer called."}
    other = house.who("operator", subject="another")
    asked = await house.post(allocate, body, by=other)
    place = place_of(asked)
    again = await house.post(allocate, body, by=clerk)
    assert refusal(again) == (409, "allocation_requested")
    for hand in (other, clerk):
        assert refusal(await house.agree(place, by=hand)) == (409, "second_person_required")
    assert await house.told() == []
    done = (await house.agree(place)).json()
    assert (done["kind"], done["reason"]) == ("allocation", "The payer called.")
    [told] = await house.told()
    assert (told["payment_id"], told["account_id"]) == (done["payment_id"], 1)


async def test_what_was_asked_for_is_taken_back_and_may_be_asked_for_again(
    house: House, clerk: dict[str, str]
) -> None:
    await house.open_account(1, **UGX)
    place = place_of(await house.post("/v1/payments", money_in(), by=clerk))
    taken = await house.agree(place, "reject", by=clerk)
    assert (taken.status_code, taken.json()["state"]) == (200, "rejected")
    assert refusal(await house.agree(place)) == (409, "request_decided")
    place_of(await house.post("/v1/payments", money_in("76"), by=clerk))
    missing = f"/v1/money-requests/{new_id()}"
    assert (await house.agree(missing)).status_code == 404


async def test_the_database_too_wants_two_people(house: House, clerk: dict[str, str]) -> None:
    await house.open_account(1, **UGX)
    place_of(await house.post("/v1/payments", money_in(), by=clerk))
    own = """
        UPDATE money_request SET state = 'posted', decided_by = requested_by,
            suspense_id = gen_random_uuid()
    """
    for statement, words in ((own, "check"), ("DELETE FROM moved_alone", "permission denied")):
        with pytest.raises(DBAPIError, match=words):
            async with house.service.database.transaction() as conn:
                await conn.execute(text(statement))
