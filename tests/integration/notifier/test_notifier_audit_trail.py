"""What people change over REST is noted: by whom, on whose behalf, what it was and is."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from tests.integration.notifier.parts import EMAIL, PHONE, Notifier
from tests.support.confirming import codes_to

from npms_shared.web.audit_trail_api import AuditEntryResponse
from npms_tools.sinks.server import Sinks

Headers = dict[str, str]
OF_EVERY_SERVICE = ("/v1/parked-messages", "/v1/unroutable-messages")
CONTACTS = {"language": "sw", "contacts": [{"channel": "sms", "address": "+254733000111"}]}
QUESTION = {"subject": "Why twice?", "body": "My statement shows two entries."}


@dataclass(frozen=True, slots=True)
class Write:
    """A call, and what it leaves; `{ticket}` and `{code}` are filled in."""

    operation: str
    method: str
    path: str
    body: dict[str, Any] | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    status: int = 200


CONTACT = "/v1/accounts/1/contacts"
WRITES = [
    Write(
        "replace_contacts", "PUT", CONTACT, CONTACTS, "contacts_replaced", "account:1",
        {"language": "en", "contacts": ["sms:+254***78", "email:w***@example.org"]},
        {"language": "sw", "contacts": ["sms:+254***11"]},
    ),
    Write(
        "confirm_contact", "POST", f"{CONTACT}/sms/confirm", {"code": "{code}"},
        "contact_confirmed", "account:1", None, {"channel": "sms", "address": "+254***78"},
    ),
    Write(
        "confirm_contact", "POST", f"{CONTACT}/email/confirm", {"code": "{wrong}"},
        "contact_code_refused", "account:1", None, {"channel": "email"}, 409,
    ),
    Write(
        "resend_contact_code", "POST", f"{CONTACT}/sms/resend-code", None,
        "contact_code_resent", "account:1", None, {"channel": "sms"}, 202,
    ),
    Write(
        "open_ticket", "POST", "/v1/accounts/1/tickets", QUESTION,
        "ticket_opened", "ticket:{opened}", None, {"account_id": 1}, 201,
    ),
    Write(
        "write_ticket_message", "POST", "/v1/tickets/{ticket}/messages", {"body": "Why daily?"},
        "ticket_message_written", "ticket:{ticket}", {"state": "answered"}, {"state": "open"}, 201,
    ),
    Write(
        "close_ticket", "POST", "/v1/tickets/{ticket}/close", None,
        "ticket_closed", "ticket:{ticket}", {"state": "answered"}, {"state": "closed"},
    ),
]  # fmt: skip


def test_every_route_that_writes_is_listed(notifier: Notifier) -> None:
    writing = {
        route.operation_id
        for route in notifier.app.router.routes
        if isinstance(route, APIRoute)
        and not route.methods <= {"GET", "HEAD"}
        and not route.path.startswith(OF_EVERY_SERVICE)
    }
    assert writing == {write.operation for write in WRITES}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.action)
async def test_a_write_is_noted(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    operator: Headers,
    write: Write,
) -> None:
    values = await prepare(notifier, rest, sinks, customer, operator)
    answer = await rest.request(
        write.method,
        write.path.format_map(values),
        json=write.body and {k: fill(v, values) for k, v in write.body.items()},
        headers=customer,
    )
    assert answer.status_code == write.status, answer.text
    values["opened"] = answer.json().get("ticket_id", "")
    [entry] = await entries(rest, operator, action=write.action, by="wanjiku")
    assert (entry.subject, entry.reason) == (write.subject.format_map(values), "")
    assert (entry.by_roles, entry.on_behalf_of) == (["customer"], "customer:77")
    assert (entry.before, entry.after) == (write.before, write.after)
    assert PHONE.address not in str(entry)


async def test_staff_is_noted_as_itself(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    operator: Headers,
) -> None:
    await prepare(notifier, rest, sinks, customer, operator)
    [entry] = await entries(rest, operator, action="ticket_message_written", by="op-3")
    assert (entry.by_roles, entry.on_behalf_of) == (["operator"], "")


async def test_what_changes_nothing_is_not_noted(
    notifier: Notifier, rest: httpx.AsyncClient, customer: Headers, operator: Headers
) -> None:
    await notifier.open_account(1)
    opened = await rest.post("/v1/accounts/1/tickets", json=QUESTION, headers=customer)
    close = f"/v1/tickets/{opened.json()['ticket_id']}/close"
    for _ in range(2):
        assert (await rest.post(close, headers=customer)).status_code == 200
    assert len(await entries(rest, operator, action="ticket_closed")) == 1


def fill(value: Any, values: dict[str, str]) -> Any:
    return value.format_map(values) if isinstance(value, str) else value


async def prepare(
    notifier: Notifier,
    rest: httpx.AsyncClient,
    sinks: Sinks,
    customer: Headers,
    operator: Headers,
) -> dict[str, str]:
    """An account with codes that were sent a minute ago, and a ticket that was answered."""
    await notifier.open_account(1, PHONE, EMAIL, verified=False)
    await notifier.deliver()
    opened = await rest.post("/v1/accounts/1/tickets", json=QUESTION, headers=operator)
    ticket = opened.json()["ticket_id"]
    answer = {"body": "The daily charge."}
    await rest.post(f"/v1/tickets/{ticket}/messages", json=answer, headers=operator)
    notifier.clock.advance(notifier.context.pace.lease)
    code = codes_to(sinks.store, PHONE.address)[0]
    mailed = codes_to(sinks.store, EMAIL.address)[0]
    return {"ticket": ticket, "code": code, "wrong": f"{(int(mailed) + 1) % 10**6:06}"}


async def entries(
    rest: httpx.AsyncClient, operator: Headers, **filters: str
) -> list[AuditEntryResponse]:
    page = await rest.get("/v1/audit-trail", params=filters, headers=operator)
    return [AuditEntryResponse.model_validate(item) for item in page.json()["items"]]
