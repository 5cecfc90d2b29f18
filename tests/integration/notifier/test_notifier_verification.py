"""Nothing but a code goes to an address before somebody who reads there has entered it."""

import asyncio
import logging
from dataclasses import dataclass, replace
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
)
from tests.support.confirming import codes_to, confirm
from tests.support.problems import assert_problem
from tests.support.refusing import refuse_next
from tests.support.tokens import TestIssuer

from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.handlers.expire_held import expire_held
from npms_notifier.invariants import RULES
from npms_shared.db import invariants
from npms_tools.sinks.server import Sinks

OTHER = Contact(Channel.SMS, "+254733000111")
Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account and a phone, or two."""

    notifier: Notifier
    rest: httpx.AsyncClient
    sinks: Sinks
    headers: Headers
    account_id: int = 1

    @property
    def _contacts(self) -> str:
        return f"/v1/accounts/{self.account_id}/contacts"

    async def code(self, contact: Contact = PHONE) -> str:
        """The newest that came, once what is due has been sent."""
        await self.notifier.deliver()
        return codes_to(self.sinks.store, contact.address)[0]

    async def enter(self, code: str, channel: str = "sms") -> httpx.Response:
        return await confirm(self.rest, self.account_id, channel, code, headers=self.headers)

    async def resend(self, channel: str = "sms") -> httpx.Response:
        place = f"{self._contacts}/{channel}/resend-code"
        return await self.rest.post(place, headers=self.headers)

    async def put(self, *contacts: Contact) -> list[dict[str, Any]]:
        reached = [{"channel": c.channel, "address": c.address} for c in contacts]
        body = {"language": "en", "contacts": reached}
        answer = await self.rest.put(self._contacts, json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["contacts"])

    async def contacts(self) -> list[dict[str, Any]]:
        answer = await self.rest.get(self._contacts, headers=self.headers)
        return list(answer.json()["contacts"])

    async def deliveries(self) -> list[dict[str, Any]]:
        place = f"/v1/accounts/{self.account_id}/deliveries"
        answer = await self.rest.get(place, headers=self.headers)
        return list(answer.json()["items"])


@pytest.fixture
def wanjiku(
    notifier: Notifier, rest: httpx.AsyncClient, sinks: Sinks, customer: Headers
) -> Customer:
    return Customer(notifier, rest, sinks, customer)


def another_than(code: str, number: int = 0) -> str:
    return f"{(int(code) + 1 + number) % 1_000_000:06}"


async def test_a_notice_waits_for_the_code_and_goes_once_it_was_entered(
    notifier: Notifier, wanjiku: Customer, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await notifier.notify(RESTORED)
    code = await wanjiku.code()
    assert len(sinks.store.sms) == 1, "only the code went there"
    assert [(d["template"], d["state"]) for d in await wanjiku.deliveries()] == [
        ("credit_restored", "held"),
        ("contact_code", "sent"),
    ]
    confirmed = await wanjiku.enter(code)
    assert confirmed.status_code == 200
    [shown] = confirmed.json()["contacts"]
    assert shown["verified"]
    assert datetime.fromisoformat(shown["verified_at"]) == NOW
    assert await notifier.deliver() == 1
    assert "20.00" in sinks.store.sms[1].text
    await notifier.notify(RESTORED)
    assert await notifier.deliver() == 1, "from now on they go at once"
    assert await invariants.check(notifier.database, RULES) == []


async def test_what_was_held_a_day_expires(notifier: Notifier, wanjiku: Customer) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await notifier.notify(RESTORED)
    notifier.clock.advance(timedelta(hours=23))
    assert await expire_held(notifier.context) == 0
    await notifier.notify(RESTORED)
    notifier.clock.advance(timedelta(hours=1))
    assert (await wanjiku.resend()).status_code == 202
    assert (await wanjiku.enter(await wanjiku.code())).status_code == 200
    assert await notifier.deliver() == 1, "not the one whose time was up, even before it was ended"
    assert await expire_held(notifier.context) == 1
    states = [d["state"] for d in await wanjiku.deliveries()]
    assert sorted(states) == ["expired", "expired", "sent", "sent"], "two notices, two codes"


async def test_a_code_is_kept_and_shown_nowhere(
    notifier: Notifier,
    wanjiku: Customer,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    [shown] = await wanjiku.deliveries()
    assert code not in str(shown)
    assert "******" in shown["body"]
    async with notifier.database.connect() as conn:
        for table in ("delivery", "contact_code", "outbox", "audit_trail"):
            rows = await conn.execute(text(f"SELECT t::text FROM {table} AS t"))  # noqa: S608
            assert not any(f"{code} " in row or f",{code}," in row for row in rows.scalars())
    assert code not in caplog.text + capsys.readouterr().out
    assert "tests only" not in repr(notifier.context)


async def test_five_wrong_codes_lock_and_another_one_unlocks(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    for number in range(5):
        assert_problem(await wanjiku.enter(another_than(code, number)), 409, "wrong_code")
    assert_problem(await wanjiku.enter(code), 409, "code_expired")
    notifier.clock.advance(timedelta(minutes=1))
    assert (await wanjiku.resend()).status_code == 202
    assert_problem(await wanjiku.enter(another_than(code)), 409, "code_expired")
    assert (await wanjiku.enter(await wanjiku.code())).status_code == 200


async def test_attempts_at_the_same_time_are_no_more_than_five(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    tries = [wanjiku.enter(another_than(code, number)) for number in range(12)]
    answered = [answer.json()["code"] for answer in await asyncio.gather(*tries)]
    assert sorted(answered) == ["code_expired"] * 7 + ["wrong_code"] * 5
    assert_problem(await wanjiku.enter(code), 409, "code_expired")


async def test_a_code_lives_fifteen_minutes_from_its_sending(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    notifier.clock.advance(timedelta(minutes=20))
    code = await wanjiku.code()
    notifier.clock.advance(timedelta(minutes=15))
    assert_problem(await wanjiku.enter(code), 409, "code_expired")


async def test_a_code_is_good_once(notifier: Notifier, wanjiku: Customer) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    assert (await wanjiku.enter(code)).status_code == 200
    assert_problem(await wanjiku.enter(code), 409, "already_verified")
    await wanjiku.put(PHONE, OTHER)
    assert_problem(await wanjiku.enter(code), 409, "code_expired")
    assert_problem(await wanjiku.resend(), 429, "code_sent_recently")


async def test_a_code_sent_again_ends_the_one_before(notifier: Notifier, wanjiku: Customer) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    first = await wanjiku.code()
    notifier.clock.advance(timedelta(minutes=1))
    await wanjiku.resend()
    second = await wanjiku.code()
    if first != second:
        assert_problem(await wanjiku.enter(first), 409, "wrong_code")
    assert (await wanjiku.enter(second)).status_code == 200
    assert_problem(await wanjiku.resend(), 409, "already_verified")


async def test_a_code_of_an_old_address_verifies_no_new_one(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    old = await wanjiku.code()
    await wanjiku.put(OTHER)
    new = await wanjiku.code(OTHER)
    if old != new:
        assert_problem(await wanjiku.enter(old), 409, "wrong_code")
    assert (await wanjiku.enter(new)).status_code == 200


async def test_a_code_that_is_not_wanted_any_more_is_not_sent(
    notifier: Notifier, wanjiku: Customer, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await wanjiku.put(OTHER)
    await notifier.deliver()
    assert {sms.to for sms in sinks.store.sms} == {OTHER.address}
    assert [(d["address"], d["state"]) for d in await wanjiku.deliveries()] == [
        (OTHER.address, "sent"),
        (PHONE.address, "expired"),
    ]


async def test_an_address_changed_back_is_verified_anew_and_wins_no_codes(
    notifier: Notifier, wanjiku: Customer, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    assert (await wanjiku.enter(code)).status_code == 200
    for _ in range(10):
        await wanjiku.put(OTHER)
        [back] = await wanjiku.put(PHONE)
        assert not back["verified"]
        await notifier.deliver()
        notifier.clock.advance(timedelta(minutes=2))
    assert len(codes_to(sinks.store, PHONE.address)) == 5
    assert len(codes_to(sinks.store, OTHER.address)) <= 5
    assert_problem(await wanjiku.resend(), 429, "code_sent_recently")
    await notifier.notify(RESTORED)
    assert await notifier.deliver() == 0, "it was verified once, and is not now"
    notifier.clock.advance(timedelta(days=1))
    assert (await wanjiku.resend()).status_code == 202
    assert (await wanjiku.enter(await wanjiku.code())).status_code == 200


async def test_who_stays_as_they_are_stays_verified_and_gets_no_code(
    notifier: Notifier, wanjiku: Customer, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, EMAIL)
    shown = await wanjiku.put(EMAIL, PHONE, OTHER)
    assert [c["verified"] for c in shown] == [True, True, False]
    await notifier.deliver()
    assert [sms.to for sms in sinks.store.sms] == [OTHER.address]
    assert not sinks.store.emails


async def test_resending_is_bounded_by_the_minute_and_by_the_day(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    soon = await wanjiku.resend()
    assert_problem(soon, 429, "code_sent_recently")
    assert soon.headers["Retry-After"] == "60"
    for _ in range(4):
        notifier.clock.advance(timedelta(minutes=1))
        assert (await wanjiku.resend()).status_code == 202
    notifier.clock.advance(timedelta(minutes=1))
    late = await wanjiku.resend()
    assert_problem(late, 429, "code_sent_recently")
    assert int(late.headers["Retry-After"]) == 24 * 3600 - 5 * 60


async def test_an_account_writes_to_so_many_strangers_and_no_more(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, verified=False)
    for number in range(30):
        await wanjiku.put(Contact(Channel.SMS, f"+2547330001{number:02}"))
    while await notifier.deliver():
        pass
    async with notifier.database.connect() as conn:
        made = await conn.execute(text("SELECT count(*) FROM contact_code"))
        assert made.scalar_one() == 20


async def test_each_of_several_addresses_is_verified_by_its_own_code(
    notifier: Notifier, wanjiku: Customer
) -> None:
    await notifier.open_account(1, PHONE, OTHER, EMAIL, verified=False)
    code = await wanjiku.code(OTHER)
    shown = (await wanjiku.enter(code)).json()["contacts"]
    assert {c["address"] for c in shown if c["verified"]} == {OTHER.address}
    assert (await wanjiku.enter(await wanjiku.code(PHONE))).status_code == 200
    mailed = await wanjiku.code(EMAIL)
    assert (await wanjiku.enter(mailed, "email")).status_code == 200


async def test_staff_enters_what_a_customer_reads_to_them(
    notifier: Notifier, wanjiku: Customer, operator: Headers
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    assert (await replace(wanjiku, headers=operator).enter(code)).status_code == 200


async def test_a_stranger_learns_and_verifies_nothing(
    notifier: Notifier, wanjiku: Customer, stranger: Headers, issuer: TestIssuer
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    code = await wanjiku.code()
    for account_id in (1, 999):
        thief = replace(wanjiku, headers=stranger, account_id=account_id)
        assert_problem(await thief.enter(code), 404, "not_found")
        assert_problem(await thief.resend(), 404, "not_found")
    partner = replace(wanjiku, headers=issuer.headers("partner", partner_id="p"))
    assert_problem(await partner.enter(code), 403, "forbidden")
    assert (await wanjiku.enter(code)).status_code == 200


async def test_whose_address_it_is_elsewhere_makes_no_difference(
    notifier: Notifier, wanjiku: Customer, stranger: Headers
) -> None:
    await notifier.open_account(1, PHONE)
    seen = []
    for account_id, contact in ((2, PHONE), (3, OTHER)):
        await notifier.open_account(account_id, customer_id=78)
        thief = replace(wanjiku, headers=stranger, account_id=account_id)
        [shown] = await thief.put(contact)
        answers = [await thief.enter("000000"), await thief.resend()]
        codes = [(answer.status_code, answer.json()["code"]) for answer in answers]
        seen.append((shown | {"address": ""}, codes))
    assert seen[0] == seen[1]
    [mine] = await wanjiku.contacts()
    assert mine["verified"]


async def test_where_there_is_nothing_to_verify(notifier: Notifier, wanjiku: Customer) -> None:
    faulty = Contact(Channel.EMAIL, "nobody", fault="not_an_email_address")
    await notifier.open_account(1, PHONE, faulty)
    for channel, status, code in (("email", 404, "not_found"), ("sms", 409, "already_verified")):
        entered = await wanjiku.enter("123456", channel)
        assert_problem(entered, status, code)
        assert_problem(await wanjiku.resend(channel), status, code)
    assert_problem(await wanjiku.resend("fax"), 422, "invalid_request")


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "123456\n"])
async def test_what_is_no_code_is_no_attempt(
    notifier: Notifier, wanjiku: Customer, code: str
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    good = await wanjiku.code()
    for _ in range(6):
        assert_problem(await wanjiku.enter(code), 422, "invalid_request")
    assert (await wanjiku.enter(good)).status_code == 200


async def test_an_attempt_that_is_sent_again_has_a_code_of_its_own(
    notifier: Notifier, wanjiku: Customer, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await refuse_next(sinks, "sms", status=503)
    await notifier.deliver()
    assert not sinks.store.sms
    notifier.clock.advance(timedelta(seconds=5))
    assert (await wanjiku.enter(await wanjiku.code())).status_code == 200
