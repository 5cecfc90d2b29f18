"""Vouchers from their making to their use."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text
from tests.integration.payments.conftest import House

WRONG_PIN = "123456789012345670"


def well_formed(house_pin: str) -> str:
    """A PIN with a good check digit that is no voucher's."""
    from npms_payments.domain.vouchers import make_pin

    return make_pin(lambda _: (int(house_pin[:17]) + 1) % 10**17)


async def redeem(house: House, account_id: int, pin: str, **options: Any) -> Any:
    return await house.post(f"/v1/accounts/{account_id}/vouchers", {"pin": pin}, **options)


async def test_a_voucher_pays_once(house: House) -> None:
    await house.open_account(1)
    [pin] = await house.make_vouchers()
    spaced = f"{pin[:6]} {pin[6:12]}-{pin[12:]}"
    first = await redeem(house, 1, spaced)
    assert first.status_code == 201
    paid = first.json()
    assert (paid["state"], paid["source"]) == ("settled", "voucher")
    assert paid["amount"] == {"amount": "200.000000", "currency": "KES"}
    assert paid["credit"] is None
    again = await redeem(house, 1, pin)
    assert (again.status_code, again.json()["code"]) == (422, "voucher_refused")
    [told] = await house.told()
    assert (told["payment_id"], told["amount_micro"]) == (paid["payment_id"], 200_000_000)
    assert (told["source"], told["reference"]) == ("voucher", paid["reference"])


async def test_the_same_key_gets_the_same_receipt(house: House) -> None:
    await house.open_account(1)
    one, other = await house.make_vouchers(2)
    first = await redeem(house, 1, one, key="k")
    second = await redeem(house, 1, one, key="k")
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await redeem(house, 1, other, key="k")).status_code == 409
    assert len(await house.told()) == 1
    missing = await house.api.post(
        "/v1/accounts/1/vouchers", json={"pin": one}, headers=house.who("operator")
    )
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")


async def test_one_voucher_twenty_times_at_once_pays_once(house: House) -> None:
    for account_id in range(1, 6):
        await house.open_account(account_id)
    [pin] = await house.make_vouchers()
    tries = [
        redeem(house, 1 + i % 5, pin, by=house.who("operator", subject=f"o{i}")) for i in range(20)
    ]
    answers = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert answers.count(201) == 1
    assert set(answers) <= {201, 422, 429}
    assert len(await house.told()) == 1
    assert await house.count("payment") == 1


async def test_one_key_twenty_times_at_once_pays_once(house: House) -> None:
    await house.open_account(1)
    [pin] = await house.make_vouchers()
    answers = await asyncio.gather(*(redeem(house, 1, pin, key="same") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["payment_id"] for answer in answers}) == 1
    assert len(await house.told()) == 1


async def test_used_unknown_inactive_expired_and_foreign_get_one_answer(house: House) -> None:
    await house.open_account(1)
    [used] = await house.make_vouchers()
    await redeem(house, 1, used)
    [inactive] = await house.make_vouchers(active=False)
    [foreign] = await house.make_vouchers(currency="ZAR")
    [expired] = await house.make_vouchers()
    async with house.service.database.transaction() as conn:
        await conn.execute(
            text("UPDATE voucher_batch SET expires_at = now() WHERE batch_number = 4")
        )
    answers = []
    for pin in (used, inactive, foreign, expired, well_formed(used)):
        answer = (await redeem(house, 1, pin)).json()
        answers.append({k: v for k, v in answer.items() if k != "trace_id"})
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["code"] == "voucher_refused"


async def test_five_wrong_ones_lock_the_account_for_a_while(house: House) -> None:
    await house.open_account(1)
    await house.open_account(2)
    [pin] = await house.make_vouchers()
    for wrong in (WRONG_PIN, well_formed(pin), WRONG_PIN, "1", well_formed(pin)):
        assert (await redeem(house, 1, wrong)).status_code == 422
    locked = await redeem(house, 1, pin)
    assert (locked.status_code, locked.json()["code"]) == (429, "voucher_locked")
    assert 0 < int(locked.headers["Retry-After"]) <= 900
    assert (await redeem(house, 2, WRONG_PIN)).status_code == 422
    house.clock.ahead = timedelta(seconds=int(locked.headers["Retry-After"]))
    assert (await redeem(house, 1, pin)).status_code == 201


async def test_many_wrong_ones_at_once_are_counted_all_the_same(house: House) -> None:
    await house.open_account(1)
    answers = await asyncio.gather(*(redeem(house, 1, WRONG_PIN) for _ in range(20)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(422), codes.count(429)) == (5, 15)


async def test_a_caller_is_locked_over_all_accounts(house: House) -> None:
    for account_id in range(1, 6):
        await house.open_account(account_id)
    for number in range(20):
        assert (await redeem(house, 1 + number % 4, WRONG_PIN)).status_code == 422
    assert (await redeem(house, 5, WRONG_PIN)).status_code == 429
    stranger = house.who("operator", subject="another")
    assert (await redeem(house, 5, WRONG_PIN, by=stranger)).status_code == 422


async def test_a_typing_error_says_so(house: House) -> None:
    await house.open_account(1)
    answer = await redeem(house, 1, WRONG_PIN)
    assert answer.json()["code"] == "voucher_mistyped"
    assert WRONG_PIN not in answer.text


async def test_pins_are_shown_once_and_kept_nowhere(house: House) -> None:
    await house.open_account(1)
    body = {"value": {"amount": "50", "currency": "KES"}, "count": 3}
    made = await house.post("/v1/voucher-batches", body, key="b")
    assert (made.json()["state"], made.json()["vouchers"]) == ("inactive", None)
    assert (await house.post("/v1/voucher-batches", body, key="b")).json() == made.json()
    place, printer = batch_of(made), house.who("admin", subject="printer")
    first = await house.post(f"{place}/print", by=printer)
    assert first.headers["Cache-Control"] == "no-store"
    assert first.json()["state"] == "printed"
    pins = [one["pin"] for one in first.json()["vouchers"]]
    assert len(set(pins)) == 3
    assert refusal(await house.post(f"{place}/print", by=printer)) == (409, "batch_printed")
    assert (await house.get(place)).json()["vouchers"] is None
    await house.agree(place, "activate")
    await redeem(house, 1, pins[0])
    async with house.service.database.connect() as conn:
        for table in ("voucher", "idempotency_key", "outbox", "payment", "voucher_batch"):
            rows = await conn.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608
            dump = "".join(rows.scalars())
            assert dump
            assert not any(pin in dump or pin.encode().hex() in dump for pin in pins)


def batch_of(made: httpx.Response) -> str:
    return f"/v1/voucher-batches/{made.json()['batch_id']}"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_who_makes_prints_and_activates_a_batch_are_three_people(house: House) -> None:
    body = {"value": {"amount": "50", "currency": "KES"}, "count": 1}
    maker, printer, third = (
        house.who("operator", "admin", subject=name) for name in ("maker", "printer", "third")
    )
    place = batch_of(await house.post("/v1/voucher-batches", body, by=maker))
    early = await house.agree(place, "activate", by=third)
    assert refusal(early) == (409, "batch_not_printed")
    own = await house.post(f"{place}/print", by=maker)
    assert refusal(own) == (409, "second_person_required")
    assert await house.count("voucher") == 0
    before = (await house.get(place)).headers["ETag"]
    assert (await house.post(f"{place}/print", by=printer)).status_code == 200
    for hand in (maker, printer):
        refused = await house.agree(place, "activate", by=hand)
        assert refusal(refused) == (409, "second_person_required")
    stale = await house.post(f"{place}/activate", by={**third, "If-Match": before})
    assert refusal(stale) == (412, "precondition_failed")
    unseen = await house.post(f"{place}/activate", by=third)
    assert refusal(unseen) == (428, "precondition_required")
    active = (await house.agree(place, "activate", by=third)).json()
    assert [active[f"{verb}_by"] for verb in ("created", "printed", "activated")] == [
        "maker",
        "printer",
        "third",
    ]


async def test_a_rejected_batch_redeems_nothing(house: House) -> None:
    await house.open_account(1)
    body = {"value": {"amount": "50", "currency": "KES"}, "count": 1}
    place = batch_of(await house.post("/v1/voucher-batches", body))
    printed = await house.post(f"{place}/print", by=house.who("admin", subject="printer"))
    pin = printed.json()["vouchers"][0]["pin"]
    taken = await house.agree(place, "reject", by=house.who("operator", "admin"))
    assert (taken.status_code, taken.json()["state"]) == (200, "rejected")
    assert refusal(await house.agree(place, "activate")) == (409, "batch_rejected")
    assert refusal(await redeem(house, 1, pin)) == (422, "voucher_refused")


async def test_batches_are_activated_once_and_by_admins(house: House) -> None:
    body = {"value": {"amount": "50", "currency": "KES"}, "count": 1}
    refused = await house.post("/v1/voucher-batches", body, by=house.who("operator"))
    assert refused.status_code == 403
    path = batch_of(await house.post("/v1/voucher-batches", body))
    await house.post(f"{path}/print", by=house.who("admin", subject="printer"))
    active = await house.agree(path, "activate")
    assert (active.json()["state"], active.json()["activated_by"]) == ("active", "the-boss")
    assert refusal(await house.agree(path, "activate")) == (409, "batch_active")
    assert (await house.get(path)).json()["vouchers"] is None
    past = body | {"expires_at": "2020-01-01T00:00:00Z"}
    assert (await house.post("/v1/voucher-batches", past)).json()["code"] == "expiry_in_the_past"
    missing = f"/v1/voucher-batches/{'0' * 8}-0000-7000-8000-{'0' * 12}"
    assert (await house.agree(missing, "activate")).status_code == 404


async def test_a_customer_redeems_for_what_is_theirs(house: House) -> None:
    await house.open_account(1, customer_id=7)
    one, other = await house.make_vouchers(2)
    mine = house.who("customer", subject="c7", customer_id=7)
    theirs = house.who("customer", subject="c8", customer_id=8)
    assert (await redeem(house, 1, one, by=theirs)).status_code == 404
    assert (await redeem(house, 1, one, by=mine)).status_code == 201
    assert (await redeem(house, 99, other, by=mine)).status_code == 404
    await house.close_account(1)
    closed = await redeem(house, 1, other, by=mine)
    assert (closed.status_code, closed.json()["code"]) == (409, "account_closed")
