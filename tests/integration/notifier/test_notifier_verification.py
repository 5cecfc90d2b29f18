"""Nothing but a code goes to an address before somebody who reads there has entered it."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.notifier.parts import (
    EMAIL,
    NOW,
    PHONE,
    RESTORED,
    Notifier,
    assert_problem,
)
from tests.support.confirming import codes_to, confirm
from tests.support.tokens import TestIssuer

from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.handlers.expire_held import expire_held
from npms_notifier.invariants import RULES
from npms_shared.db import invariants
from npms_tools.sinks.server import Sinks

OTHER = Contact(Channel.SMS, "+254733000111")
Headers = dict[str, str]
Confirm = Callable[[str], Awaitable[httpx.Response]]


@pytest.fixture
def enter(rest: httpx.AsyncClient, customer: Headers) -> Confirm:
    """A code for the phone of account 1, entered by its customer."""

    async def entered(code: str) -> httpx.Response:
        return await confirm(rest, 1, "sms", code, headers=customer)

    return entered


async def sent_code(notifier: Notifier, sinks: Sinks, contact: Contact = PHONE) -> str:
    """The newest that went to an address, once what is due has been sent."""
    await notifier.deliver()
    return codes_to(sinks.store, contact.address)[0]


def another_than(code: str, number: int = 0) -> str:
    return f"{(int(code) + 1 + number) % 1_000_000:06}"


async def put(
    rest: httpx.AsyncClient, headers: Headers, *contacts: Contact, account_id: int = 1
) -> Any:
    body = {
        "language": "en",
        "contacts": [{"channel": c.channel, "address": c.address} for c in contacts],
    }
    answer = await rest.put(f"/v1/accounts/{account_id}/contacts", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["contacts"]


async def resend(
    rest: httpx.AsyncClient, headers: Headers, channel: str = "sms", account_id: int = 1
) -> httpx.Response:
    place = f"/v1/accounts/{account_id}/contacts/{channel}/resend-code"
    return await rest.post(place, headers=headers)


async def deliveries(rest: httpx.AsyncClient, headers: Headers) -> list[dict[str, Any]]:
    answer = await rest.get("/v1/accounts/1/deliveries", headers=headers)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_notice_waits_for_the_code_and_goes_once_it_was_entered(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await notifier.notify(RESTORED)
    code = await sent_code(notifier, sinks)
    assert len(sinks.store.sms) == 1, "only the code went there"
    assert [(d["template"], d["state"]) for d in await deliveries(rest, customer)] == [
        ("credit_restored", "held"),
        ("contact_code", "sent"),
    ]
    confirmed = await enter(code)
    assert confirmed.status_code == 200
    [shown] = confirmed.json()["contacts"]
    assert shown["verified"]
    assert datetime.fromisoformat(shown["verified_at"]) == NOW
    assert await notifier.deliver() == 1
    assert "20.00" in sinks.store.sms[1].text
    await notifier.notify(RESTORED)
    assert await notifier.deliver() == 1, "from now on they go at once"
    assert await invariants.check(notifier.database, RULES) == []


async def test_what_was_held_a_day_expires(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await notifier.notify(RESTORED)
    notifier.clock.advance(timedelta(hours=23))
    assert await expire_held(notifier.context) == 0
    await notifier.notify(RESTORED)
    notifier.clock.advance(timedelta(hours=1))
    assert (await resend(rest, customer)).status_code == 202
    assert (await enter(await sent_code(notifier, sinks))).status_code == 200
    assert await notifier.deliver() == 1, "not the one whose time was up, even before it was ended"
    assert await expire_held(notifier.context) == 1
    states = [d["state"] for d in await deliveries(rest, customer)]
    assert sorted(states) == ["expired", "expired", "sent", "sent"], "two notices, two codes"


async def test_a_code_is_kept_and_shown_nowhere(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    [shown] = await deliveries(rest, customer)
    assert code not in str(shown)
    assert "******" in shown["body"]
    async with notifier.database.connect() as conn:
        for table in ("delivery", "contact_code", "outbox", "audit_trail"):
            rows = await conn.execute(text(f"SELECT t::text FROM {table} AS t"))  # noqa: S608
            assert not any(f"{code} " in row or f",{code}," in row for row in rows.scalars())
    assert code not in caplog.text + capsys.readouterr().out
    assert "tests only" not in repr(notifier.context)


async def test_five_wrong_codes_lock_and_another_one_unlocks(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    for number in range(5):
        assert_problem(await enter(another_than(code, number)), 409, "wrong_code")
    assert_problem(await enter(code), 409, "code_expired")
    notifier.clock.advance(timedelta(minutes=1))
    assert (await resend(rest, customer)).status_code == 202
    assert_problem(await enter(another_than(code)), 409, "code_expired")
    assert (await enter(await sent_code(notifier, sinks))).status_code == 200


async def test_a_code_lives_fifteen_minutes_from_its_sending(
    notifier: Notifier, sinks: Sinks, enter: Confirm
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    notifier.clock.advance(timedelta(minutes=20))
    code = await sent_code(notifier, sinks)
    notifier.clock.advance(timedelta(minutes=15))
    assert_problem(await enter(code), 409, "code_expired")


async def test_a_code_is_good_once(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    assert (await enter(code)).status_code == 200
    assert_problem(await enter(code), 409, "already_verified")
    await put(rest, customer, PHONE, OTHER)
    assert_problem(await enter(code), 409, "code_expired")
    assert_problem(await resend(rest, customer), 429, "code_sent_recently")


async def test_a_code_sent_again_ends_the_one_before(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    first = await sent_code(notifier, sinks)
    notifier.clock.advance(timedelta(minutes=1))
    await resend(rest, customer)
    second = await sent_code(notifier, sinks)
    if first != second:
        assert_problem(await enter(first), 409, "wrong_code")
    assert (await enter(second)).status_code == 200
    assert_problem(await resend(rest, customer), 409, "already_verified")


async def test_a_code_of_an_old_address_verifies_no_new_one(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    old = await sent_code(notifier, sinks)
    await put(rest, customer, OTHER)
    new = await sent_code(notifier, sinks, OTHER)
    if old != new:
        assert_problem(await enter(old), 409, "wrong_code")
    assert (await enter(new)).status_code == 200


async def test_a_code_that_is_not_wanted_any_more_is_not_sent(
    notifier: Notifier, rest: httpx.AsyncClient, sinks: Sinks, customer: Headers
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await put(rest, customer, OTHER)
    await notifier.deliver()
    assert {sms.to for sms in sinks.store.sms} == {OTHER.address}
    assert [(d["address"], d["state"]) for d in await deliveries(rest, customer)] == [
        (OTHER.address, "sent"),
        (PHONE.address, "expired"),
    ]


async def test_an_address_changed_back_is_verified_anew_and_wins_no_codes(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    assert (await enter(code)).status_code == 200
    for _ in range(10):
        await put(rest, customer, OTHER)
        [back] = await put(rest, customer, PHONE)
        assert not back["verified"]
        await notifier.deliver()
        notifier.clock.advance(timedelta(minutes=2))
    assert len(codes_to(sinks.store, PHONE.address)) == 5
    assert len(codes_to(sinks.store, OTHER.address)) <= 5
    assert_problem(await resend(rest, customer), 429, "code_sent_recently")
    await notifier.notify(RESTORED)
    assert await notifier.deliver() == 0, "it was verified once, and is not now"
    notifier.clock.advance(timedelta(days=1))
    assert (await resend(rest, customer)).status_code == 202
    assert (await enter(await sent_code(notifier, sinks))).status_code == 200


async def test_who_stays_as_they_are_stays_verified_and_gets_no_code(
    notifier: Notifier, rest: httpx.AsyncClient, sinks: Sinks, customer: Headers
) -> None:
    await notifier.open_account(1, PHONE, EMAIL)
    shown = await put(rest, customer, EMAIL, PHONE, OTHER)
    assert [c["verified"] for c in shown] == [True, True, False]
    await notifier.deliver()
    assert [sms.to for sms in sinks.store.sms] == [OTHER.address]
    assert not sinks.store.emails


async def test_resending_is_bounded_by_the_minute_and_by_the_day(
    notifier: Notifier, rest: httpx.AsyncClient, customer: Headers
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    soon = await resend(rest, customer)
    assert_problem(soon, 429, "code_sent_recently")
    assert soon.headers["Retry-After"] == "60"
    for _ in range(4):
        notifier.clock.advance(timedelta(minutes=1))
        assert (await resend(rest, customer)).status_code == 202
    notifier.clock.advance(timedelta(minutes=1))
    late = await resend(rest, customer)
    assert_problem(late, 429, "code_sent_recently")
    assert int(late.headers["Retry-After"]) == 24 * 3600 - 5 * 60


async def test_an_account_writes_to_so_many_strangers_and_no_more(
    notifier: Notifier, rest: httpx.AsyncClient, sinks: Sinks, customer: Headers
) -> None:
    await notifier.open_account(1, verified=False)
    for number in range(30):
        await put(rest, customer, Contact(Channel.SMS, f"+2547330001{number:02}"))
    while await notifier.deliver():
        pass
    async with notifier.database.connect() as conn:
        made = await conn.execute(text("SELECT count(*) FROM contact_code"))
        assert made.scalar_one() == 20


async def test_each_of_several_addresses_is_verified_by_its_own_code(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    enter: Confirm,
) -> None:
    await notifier.open_account(1, PHONE, OTHER, EMAIL, verified=False)
    code = await sent_code(notifier, sinks, OTHER)
    shown = (await enter(code)).json()["contacts"]
    assert {c["address"] for c in shown if c["verified"]} == {OTHER.address}
    assert (await enter(await sent_code(notifier, sinks, PHONE))).status_code == 200
    mailed = await sent_code(notifier, sinks, EMAIL)
    assert (await confirm(rest, 1, "email", mailed, headers=customer)).status_code == 200


async def test_staff_enters_what_a_customer_reads_to_them(
    notifier: Notifier, rest: httpx.AsyncClient, sinks: Sinks, operator: Headers
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    assert (await confirm(rest, 1, "sms", code, headers=operator)).status_code == 200


async def test_a_stranger_learns_and_verifies_nothing(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    stranger: Headers,
    issuer: TestIssuer,
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await sent_code(notifier, sinks)
    for account_id in (1, 999):
        answer = await confirm(rest, account_id, "sms", code, headers=stranger)
        assert_problem(answer, 404, "not_found")
        assert_problem(await resend(rest, stranger, account_id=account_id), 404, "not_found")
    partner = issuer.headers("partner", partner_id="p")
    assert_problem(await confirm(rest, 1, "sms", code, headers=partner), 403, "forbidden")
    assert (await confirm(rest, 1, "sms", code, headers=customer)).status_code == 200


async def test_whose_address_it_is_elsewhere_makes_no_difference(
    notifier: Notifier, rest: httpx.AsyncClient, customer: Headers, stranger: Headers
) -> None:
    await notifier.open_account(1, PHONE)
    await notifier.open_account(2, customer_id=78)
    await notifier.open_account(3, customer_id=78)
    taken = await put(rest, stranger, PHONE, account_id=2)
    free = await put(rest, stranger, OTHER, account_id=3)
    assert [c | {"address": ""} for c in taken] == [c | {"address": ""} for c in free]
    answers = []
    for account_id in (2, 3):
        entered = await confirm(rest, account_id, "sms", "000000", headers=stranger)
        again = await resend(rest, stranger, account_id=account_id)
        answers.append([(a.status_code, a.json()["code"]) for a in (entered, again)])
    assert answers[0] == answers[1]
    [mine] = (await rest.get("/v1/accounts/1/contacts", headers=customer)).json()["contacts"]
    assert mine["verified"]


async def test_where_there_is_nothing_to_verify(
    notifier: Notifier, rest: httpx.AsyncClient, customer: Headers
) -> None:
    faulty = Contact(Channel.EMAIL, "nobody", fault="not_an_email_address")
    await notifier.open_account(1, PHONE, faulty)
    for channel, status, code in (("email", 404, "not_found"), ("sms", 409, "already_verified")):
        entered = await confirm(rest, 1, channel, "123456", headers=customer)
        assert_problem(entered, status, code)
        assert_problem(await resend(rest, customer, channel), status, code)
    assert_problem(await resend(rest, customer, "fax"), 422, "invalid_request")


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "123456\n"])
async def test_what_is_no_code_is_no_attempt(
    notifier: Notifier, sinks: Sinks, enter: Confirm, code: str
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    good = await sent_code(notifier, sinks)
    for _ in range(6):
        assert_problem(await enter(code), 422, "invalid_request")
    assert (await enter(good)).status_code == 200


async def test_an_attempt_that_is_sent_again_has_a_code_of_its_own(
    notifier: Notifier, sinks: Sinks, enter: Confirm
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    async with httpx.AsyncClient(base_url=sinks.url) as client:
        await client.post("/faults", json={"channel": "sms", "next": 1, "status": 503})
    await notifier.deliver()
    assert not sinks.store.sms
    notifier.clock.advance(timedelta(seconds=5))
    assert (await enter(await sent_code(notifier, sinks))).status_code == 200
