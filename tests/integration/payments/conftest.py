"""Payments and its provider over real sockets, in one process, with a clock that can be pushed."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_payments.bootstrap import build
from npms_payments.settings import PaymentsSettings
from npms_shared.clock import wall_now
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import AccountClosed, AccountOpened
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import EventSubscription, Meta
from npms_shared.runtime import Service
from npms_shared.settings import read_settings
from npms_tools.provider.cli import make_secret
from npms_tools.provider.server import create_provider

OPENED_AT = datetime(2026, 1, 1, tzinfo=UTC)
PEPPER = "a pepper for tests, thirty-two characters or more"


class PushedClock:
    """The machine's clock, pushed forward by what a test says."""

    speed = 1.0

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return wall_now() + self.ahead

    def wall_now(self) -> datetime:
        return wall_now() + self.ahead


@dataclass(slots=True)
class House:
    """A running payments service, its provider, and the people who call it."""

    service: Service
    clock: PushedClock
    issuer: TestIssuer
    api: httpx.AsyncClient
    sim: httpx.AsyncClient
    secret: str
    keys: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def who(self, *roles: str, **claims: Any) -> dict[str, str]:
        return self.issuer.headers(*roles, **claims)

    async def post(
        self, path: str, body: Any = None, *, by: dict[str, str] | None = None, key: str = ""
    ) -> httpx.Response:
        """As an operator and admin, with a fresh Idempotency-Key, unless said otherwise."""
        headers = by or self.who("operator", "admin")
        headers = headers | {"Idempotency-Key": key or f"key-{next(self.keys)}"}
        return await self.api.post(path, json=body, headers=headers)

    async def get(self, path: str, *, by: dict[str, str] | None = None) -> httpx.Response:
        return await self.api.get(path, headers=by or self.who("operator", "admin"))

    async def hear(self, queue: str, event: Event) -> None:
        """As if the event had come over the broker."""
        [found] = [
            s
            for s in self.service.subscriptions
            if isinstance(s, EventSubscription) and s.queue == queue
        ]
        meta = Meta(new_id(), event.event_type(), "", wall_now())
        async with self.service.database.transaction() as conn:
            await found.handle(conn, event, meta)

    async def open_account(
        self, account_id: int, *, customer_id: int = 1, currency: str = "KES"
    ) -> None:
        event = AccountOpened(
            account_id=account_id,
            customer_id=customer_id,
            customer_name="Achieng Odhiambo",
            currency=currency,
            time_zone="Africa/Nairobi",
            language="en",
            contacts=[],
            opened_at=OPENED_AT,
        )
        await self.hear("payments.accounts", event)

    async def close_account(self, account_id: int) -> None:
        event = AccountClosed(account_id=account_id, closed_at=OPENED_AT)
        await self.hear("payments.accounts", event)

    async def make_vouchers(
        self, count: int = 1, *, value: str = "200", currency: str = "KES", active: bool = True
    ) -> list[str]:
        """PINs of a new batch: made by one, printed by another, activated by a third."""
        body = {"value": {"amount": value, "currency": currency}, "count": count}
        batch = (await self.post("/v1/voucher-batches", body)).json()
        place = f"/v1/voucher-batches/{batch['batch_id']}"
        printed = await self.post(f"{place}/print", by=self.who("admin", subject="printer"))
        assert printed.status_code == 200, printed.text
        if active:
            answer = await self.agree(place, "activate")
            assert answer.status_code == 200, answer.text
        return [one["pin"] for one in printed.json()["vouchers"]]

    async def agree(
        self, place: str, verb: str = "approve", *, by: dict[str, str] | None = None
    ) -> httpx.Response:
        """Look at what waits and decide about what was seen; by the boss if nobody is named."""
        by = by or self.who("operator", "admin", subject="the-boss")
        seen = (await self.get(place, by=by)).headers.get("ETag", '"nothing"')
        body = {"reason": "Looked into it."}
        return await self.post(f"{place}/{verb}", body, by={**by, "If-Match": seen})

    async def top_up(self, account_id: int, amount: str = "100", **options: Any) -> httpx.Response:
        body = {"amount": {"amount": amount, "currency": "KES"}, "provider": "paysim"}
        return await self.post(f"/v1/accounts/{account_id}/top-ups", body, **options)

    async def payment(self, payment_id: str) -> dict[str, Any]:
        return dict((await self.get(f"/v1/payments/{payment_id}")).json())

    async def told(self, type_: str = "npms.payments.payment_settled.v1") -> list[dict[str, Any]]:
        """What waits in the outbox, oldest first."""
        import json

        async with self.service.database.connect() as conn:
            rows = await conn.execute(
                text("SELECT body FROM outbox WHERE type = :type ORDER BY id"), {"type": type_}
            )
            return [json.loads(body) for body in rows.scalars()]

    async def count(self, table: str, where: str = "true") -> int:
        async with self.service.database.connect() as conn:
            found = await conn.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"))  # noqa: S608
            return int(found.scalar_one())


def _bind() -> tuple[socket.socket, str]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock, f"http://127.0.0.1:{sock.getsockname()[1]}"


@asynccontextmanager
async def serving(app: FastAPI, sock: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([sock]))
    await until(_started(server), every_s=0.005, what="the server listens")
    yield
    server.should_exit = True
    await task


def _started(server: uvicorn.Server) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return server.started

    return probe


MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def house(database_for: MakeDatabase, issuer: TestIssuer) -> AsyncIterator[House]:
    made = await database_for("payments")
    secret, clock = make_secret(), PushedClock()
    (own, own_url), (sim, sim_url) = _bind(), _bind()
    settings = read_settings(
        PaymentsSettings,
        database_url=made.url,
        amqp_url="amqp://nobody/",
        jwks_path=issuer.jwks_path,
        voucher_pepper=PEPPER,
        paysim_url=sim_url,
        paysim_webhook_secrets=f"{make_secret()} {secret}",
        public_url=own_url,
        provider_timeout_s=1,
        provider_silence_s=2,
        # Tests of other matters type in what they like; those of two people do it in other money.
        alone_per_day={"KES": "1000000", "ZAR": "1000000", "*": "5"},
    )
    service = build(settings, clock=clock)
    provider = create_provider(secret=secret, public_url=sim_url)
    async with (
        serving(service.app, own),
        serving(provider, sim),
        httpx.AsyncClient(base_url=own_url, trust_env=False, timeout=30) as api,
        httpx.AsyncClient(base_url=sim_url, trust_env=False, timeout=30) as paysim,
    ):
        yield House(service, clock, issuer, api, paysim, secret)
    for close in (*service.closers, service.database.close):
        await close()
