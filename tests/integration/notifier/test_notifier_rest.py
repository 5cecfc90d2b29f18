"""Contacts, deliveries and tickets over REST."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.notifier.parts import EMAIL, PHONE, RESTORED, Notifier
from tests.support.problems import assert_problem
from tests.support.tokens import TestIssuer

from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.invariants import RULES
from npms_shared.db import invariants
from npms_shared.ids import new_id
from npms_tools.sinks.server import Sinks

CONTACTS = {
    "language": "sw",
    "contacts": [
        {"channel": "email", "address": "Wanjiku@Example.org"},
        {"channel": "sms", "address": "+254 712 345 678"},
    ],
}
UNVERIFIED = {"verified": False, "verified_at": None}
QUESTION = {"subject": "Why twice?", "body": "My statement shows two entries."}


async def open_ticket(rest: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    answer = await rest.post("/v1/accounts/1/tickets", json=QUESTION, headers=headers)
    assert answer.status_code == 201, answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


async def test_contacts_are_read_and_replaced(
    notifier: Notifier, rest: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    faulty = Contact(Channel.SMS, "0712", fault="not_an_e164_number")
    await notifier.open_account(1, EMAIL, faulty)
    before = (await rest.get("/v1/accounts/1/contacts", headers=customer)).json()
    assert before["contacts"][1] == {
        "channel": "sms", "address": "0712", "fault": "not_an_e164_number",
        "verified": False, "verified_at": None,
    }  # fmt: skip
    answer = await rest.put("/v1/accounts/1/contacts", json=CONTACTS, headers=customer)
    assert answer.json() == {
        "account_id": 1,
        "language": "sw",
        "contacts": [
            {"channel": channel, "address": address, "fault": None, **UNVERIFIED}
            for channel, address in (("email", "Wanjiku@example.org"), ("sms", "+254712345678"))
        ],
    }
    assert (await rest.get("/v1/accounts/1/contacts", headers=customer)).json() == answer.json()


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"language": "fr"}, "/language", "language_unknown"),
        ({"contacts": [{"channel": "email", "address": "x"}]}, "/contacts/0/address",
         "not_an_email_address"),
        ({"contacts": [{"channel": "sms", "address": "0712"}]}, "/contacts/0/address",
         "not_an_e164_number"),
        ({"contacts": [{"channel": "fax", "address": "1"}]}, "/contacts/0/channel", "enum"),
        ({"contacts": [CONTACTS["contacts"][0]] * 11}, "/contacts", "too_long"),
        ({"surprise": 1}, "/surprise", "extra_forbidden"),
    ],
)  # fmt: skip
async def test_wrong_contacts_are_refused_by_place(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    operator: dict[str, str],
    change: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    await notifier.open_account(1, EMAIL)
    answer = await rest.put(
        "/v1/accounts/1/contacts", json={**CONTACTS, **change}, headers=operator
    )
    problem = assert_problem(answer, 422, "invalid_request")
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (pointer, code)
    kept = (await rest.get("/v1/accounts/1/contacts", headers=operator)).json()
    assert [c["address"] for c in kept["contacts"]] == [EMAIL.address]


async def test_what_is_not_theirs_is_not_there(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    customer: dict[str, str],
    stranger: dict[str, str],
) -> None:
    await notifier.open_account(1, EMAIL)
    ticket_id = (await open_ticket(rest, customer))["ticket_id"]
    for method, path, body in [
        ("GET", "/v1/accounts/1/contacts", None),
        ("PUT", "/v1/accounts/1/contacts", CONTACTS),
        ("GET", "/v1/accounts/1/deliveries", None),
        ("POST", "/v1/accounts/1/tickets", QUESTION),
        ("GET", "/v1/tickets?account_id=1", None),
        ("GET", f"/v1/tickets/{ticket_id}", None),
        ("POST", f"/v1/tickets/{ticket_id}/messages", {"body": "let me in"}),
        ("POST", f"/v1/tickets/{ticket_id}/close", None),
        ("GET", f"/v1/tickets/{new_id()}", None),
        ("GET", "/v1/accounts/2/contacts", None),
    ]:
        answer = await rest.request(method, path, json=body, headers=stranger)
        assert_problem(answer, 404, "not_found")
    assert (await rest.get("/v1/tickets", headers=stranger)).json()["items"] == []
    assert len((await rest.get("/v1/tickets", headers=customer)).json()["items"]) == 1


async def test_who_may_call(rest: httpx.AsyncClient, issuer: TestIssuer) -> None:
    assert_problem(await rest.get("/v1/accounts/1/contacts"), 401, "unauthenticated")
    partner = issuer.headers("partner", partner_id="p")
    assert_problem(await rest.get("/v1/accounts/1/contacts", headers=partner), 403, "forbidden")


async def test_deliveries_are_listed_page_by_page(
    notifier: Notifier, rest: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    await notifier.open_account(1, PHONE)
    for _ in range(5):
        await notifier.notify(RESTORED)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = await rest.get("/v1/accounts/1/deliveries", params=params, headers=customer)
        seen += [item["delivery_id"] for item in page.json()["items"]]
        cursor, pages = page.json()["next_cursor"], pages + 1
    assert (pages, len(set(seen))) == (3, 5)
    assert seen == sorted(seen, reverse=True)
    [item] = (await rest.get("/v1/accounts/1/deliveries?limit=1", headers=customer)).json()["items"]
    assert (item["state"], item["template"], item["channel"]) == (
        "queued", "credit_restored", "sms",
    )  # fmt: skip
    bad = await rest.get("/v1/accounts/1/deliveries?cursor=WzFd", headers=customer)
    assert_problem(bad, 422, "bad_cursor")


async def test_a_ticket_is_opened_answered_asked_back_and_closed(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: dict[str, str],
    operator: dict[str, str],
) -> None:
    await notifier.open_account(1, EMAIL, PHONE)
    ticket = await open_ticket(rest, customer)
    assert (ticket["state"], ticket["opened_by"]) == ("open", "wanjiku")
    messages = f"/v1/tickets/{ticket['ticket_id']}/messages"
    answered = await rest.post(messages, json={"body": "The daily charge."}, headers=operator)
    assert answered.json()["state"] == "answered"
    assert await notifier.deliver() == 2
    assert sinks.store.sms[0].text.endswith("The daily charge.")
    assert sinks.store.emails[0].subject == "Re: Why twice?"
    asked = await rest.post(messages, json={"body": "Why daily?"}, headers=customer)
    assert asked.json()["state"] == "open"
    assert await invariants.check(notifier.database, RULES) == []
    close = f"/v1/tickets/{ticket['ticket_id']}/close"
    closed = (await rest.post(close, headers=operator)).json()
    assert (closed["state"], closed["closed_by"]) == ("closed", "op-3")
    assert [(m["author"], m["body"]) for m in closed["messages"]] == [
        ("customer", QUESTION["body"]),
        ("operator", "The daily charge."),
        ("customer", "Why daily?"),
    ]
    for headers in (operator, customer):
        late = await rest.post(messages, json={"body": "late"}, headers=headers)
        assert_problem(late, 409, "ticket_closed")
    assert (await rest.post(close, headers=customer)).json() == closed
    assert await notifier.deliver() == 0, "nothing went out for what was refused"
    async with notifier.database.connect() as conn:
        types = await conn.execute(text("SELECT routing_key FROM outbox ORDER BY id"))
        tickets = [t for t in types.scalars() if t.startswith("ticket")]
    assert tickets == ["ticket_opened.v1", "ticket_closed.v1"]


async def test_operators_see_who_waits(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    customer: dict[str, str],
    operator: dict[str, str],
) -> None:
    await notifier.open_account(1, EMAIL)
    first, second = [(await open_ticket(rest, customer))["ticket_id"] for _ in range(2)]
    await rest.post(f"/v1/tickets/{first}/messages", json={"body": "Yes."}, headers=operator)
    waiting = await rest.get("/v1/tickets", params={"state": "open"}, headers=operator)
    assert [t["ticket_id"] for t in waiting.json()["items"]] == [second]
    page = (await rest.get("/v1/tickets?limit=1", headers=operator)).json()
    assert [t["ticket_id"] for t in page["items"]] == [second]
    rest_of = await rest.get(f"/v1/tickets?cursor={page['next_cursor']}", headers=operator)
    assert [t["ticket_id"] for t in rest_of.json()["items"]] == [first]


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "", "body": "x"},
        {"subject": "   ", "body": "x"},
        {"subject": "a\nb", "body": "x"},
        {"subject": "a" * 121, "body": "x"},
        {"subject": "a", "body": " "},
        {"subject": "a", "body": "x" * 4001},
        {"subject": "a"},
    ],
)
async def test_a_question_has_a_form(
    notifier: Notifier, rest: httpx.AsyncClient, customer: dict[str, str], body: dict[str, str]
) -> None:
    await notifier.open_account(1)
    answer = await rest.post("/v1/accounts/1/tickets", json=body, headers=customer)
    assert_problem(answer, 422, "invalid_request")
