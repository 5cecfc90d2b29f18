"""The whole service: events from a real broker, messages to real sinks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text
from tests.integration.notifier.parts import API_KEY, PEPPER
from tests.support.confirming import confirm, newest_code
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_notifier.bootstrap import build
from npms_notifier.settings import NotifierSettings
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import (
    AccountClosed,
    AccountOpened,
    Contact,
    CreditExhausted,
    ThresholdCrossed,
)
from npms_shared.ids import new_id
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.topology import events_exchange
from npms_shared.runtime import Service, make_worker
from npms_tools.sinks.codes import code_in
from npms_tools.sinks.server import HOST, Sinks

AT = datetime(2026, 11, 23, 18, tzinfo=UTC)
MORNING = datetime(2026, 11, 24, 4, tzinfo=UTC)
MAIL, PHONE = "wanjiku@example.org", "+254712345678"


def opened(account_id: int) -> AccountOpened:
    return AccountOpened(
        account_id=account_id,
        customer_id=77,
        customer_name="Wanjiku Kamau",
        currency="KES",
        time_zone="Africa/Nairobi",
        language="en",
        contacts=[
            Contact(channel="email", address=MAIL),
            Contact(channel="sms", address=PHONE),
            Contact(channel="sms", address="nonsense"),
        ],
        opened_at=AT,
    )


def crossed(account_id: int) -> ThresholdCrossed:
    return ThresholdCrossed(
        account_id=account_id,
        threshold_micro=50_000_000,
        balance_micro=48_200_000,
        amount_to_avoid_cut_micro=151_800_000,
        currency="KES",
        crossed_at=AT,
    )


def exhausted(account_id: int) -> CreditExhausted:
    return CreditExhausted(
        account_id=account_id,
        balance_micro=0,
        emergency_used_micro=50_000_000,
        amount_to_clear_micro=50_000_000,
        currency="KES",
        keeps_supply_until=MORNING,
        keeps_supply_reason="friendly_hours",
        exhausted_at=AT,
    )


@pytest.fixture
async def service(
    database_for: Callable[[str], Awaitable[TestDatabase]],
    issuer: TestIssuer,
    amqp_url: str,
    sinks: Sinks,
) -> Service:
    database = await database_for("notifier")
    settings = NotifierSettings.model_validate(
        {
            "database_url": database.url,
            "amqp_url": amqp_url,
            "jwks_path": issuer.jwks_path,
            "partitions": 2,
            "smtp_host": HOST,
            "smtp_port": sinks.smtp_port,
            "smtp_sender": "credit@npms.example",
            "sms_url": f"{sinks.url}/sms",
            "sms_api_key": API_KEY,
            "code_pepper": PEPPER.decode(),
            "delivery_idle_s": 0.05,
        }
    )
    return build(settings)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    worker = make_worker(service, work=True)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task
        for close in (*service.closers, service.database.close):
            await close()


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    broker = Broker(amqp_url, name="test-ledger")
    yield Publisher(broker)
    await broker.close()


async def confirm_all(service: Service, issuer: TestIssuer, sinks: Sinks, account_id: int) -> None:
    """Both addresses, by the codes that arrived there."""
    headers = issuer.headers("customer", customer_id=77)
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as rest:
        for channel, address in (("email", MAIL), ("sms", PHONE)):
            code = await newest_code(sinks.store, address)
            answer = await confirm(rest, account_id, channel, code, headers=headers)
            assert answer.status_code == 200, answer.text


def outgoing(event: Event, account_id: int) -> Outgoing:
    return Outgoing(
        message_id=new_id(),
        exchange=events_exchange("ledger"),
        routing_key=event.name,
        type=event.event_type(),
        source="/npms/ledger",
        subject=str(account_id),
        time=AT,
        body=event.model_dump_json().encode(),
        traceparent=None,
        headers={},
    )


async def test_people_hear_what_the_ledger_says(
    service: Service, issuer: TestIssuer, publisher: Publisher, sinks: Sinks
) -> None:
    warning = outgoing(crossed(1), 1)
    async with running(service):
        await publisher.publish([outgoing(opened(1), 1), warning, warning])
        await publisher.publish([outgoing(exhausted(1), 1)])

        async def all_heard() -> bool:
            return await count(service, "inbox") == 3

        await until(all_heard, what="everything heard once")
        await confirm_all(service, issuer, sinks, 1)

        async def all_sent() -> bool:
            return len(sinks.store.sms) >= 3 and len(sinks.store.emails) >= 3

        await until(all_sent, what="a code, and then both notices, on both channels")

        async def reported() -> bool:
            return await count(service, "outbox") == 0

        await until(reported, what="everything said")
        assert await count(service, "delivery") == 6
    texts = sorted(sms.text for sms in sinks.store.sms if not code_in(sms.text))
    assert "balance KES 48.20" in texts[0]
    assert "KES 151.80" in texts[0]
    assert "until Tue 24 Nov, 07:00" in texts[1]
    assert "KES 50.00" in texts[1]
    assert {mail.recipients for mail in sinks.store.emails} == {(MAIL,)}


async def test_what_comes_before_the_account_comes_back(
    service: Service, issuer: TestIssuer, publisher: Publisher, sinks: Sinks
) -> None:
    async with running(service):
        closing = AccountClosed(account_id=2, closed_at=AT)
        await publisher.publish([outgoing(closing, 2), outgoing(crossed(2), 2)])
        await publisher.publish([outgoing(opened(2), 2)])
        await confirm_all(service, issuer, sinks, 2)

        async def warned_and_closed() -> bool:
            async with service.database.connect() as conn:
                found = await conn.execute(text("SELECT closed_at FROM account"))
                return len(sinks.store.sms) == 2 and found.scalar() == AT

        await until(warned_and_closed, what="the closing and the warning, after their retry")


async def test_a_closed_account_keeps_its_history(service: Service, publisher: Publisher) -> None:
    async with running(service):
        closing = AccountClosed(account_id=3, closed_at=AT)
        await publisher.publish([outgoing(opened(3), 3), outgoing(closing, 3)])

        async def closed() -> bool:
            async with service.database.connect() as conn:
                found = await conn.execute(text("SELECT closed_at FROM account"))
                return found.scalar() == AT

        await until(closed, what="the closing")


async def count(service: Service, table: str) -> int:
    async with service.database.connect() as conn:
        found = await conn.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
        return int(found.scalar_one())
