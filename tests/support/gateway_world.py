"""A gateway's database, a street of simulated meters, and shorthand for what the ledger says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer

from npms_meter_gateway.bootstrap import build
from npms_meter_gateway.consumers import subscriptions
from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.polling.operation import Operation
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.clock import ScaledClock, wall_now
from npms_shared.contracts.ledger import (
    InstallationClosed,
    InstallationOpened,
    MeterConnection,
    SupplyDesired,
)
from npms_shared.db.engine import Database
from npms_shared.messaging.subscriptions import EventSubscription, Meta
from npms_shared.runtime import Service
from npms_tools.street.meter import Meter
from npms_tools.street.street import Street

PROFILES = load_profiles()
PARTITIONS = 16
META = Meta(UUID(int=0), "test", "test", wall_now())


def scaled_clock(speed: float = 600.0) -> ScaledClock:
    return ScaledClock(
        anchor=wall_now(), start=datetime(2026, 3, 2, 17, 0, tzinfo=UTC), speed=speed
    )


@dataclass(slots=True)
class World:
    store: TestDatabase
    clock: Any
    revisions: int = 0
    hear: EventSubscription = field(init=False)

    def __post_init__(self) -> None:
        heard = subscriptions(self.context())[0]
        assert isinstance(heard, EventSubscription)
        self.hear = heard

    @property
    def database(self) -> Database:
        return self.store.database

    def context(self, **changes: Any) -> Context:
        parts = {"profiles": PROFILES, "partitions": PARTITIONS, **changes}
        return Context(self.database, self.clock, **parts)

    def recorder(self) -> ReadingRecorder:
        return ReadingRecorder(self.context())

    async def do(self, handler: Any, *words: Any, **more: Any) -> Any:
        """What a handler answers, in a transaction of its own."""
        async with self.database.transaction() as conn:
            return await handler(conn, self.context(), *words, **more)

    async def tell(self, event: Any) -> None:
        async with self.database.transaction() as conn:
            await self.hear.handle(conn, event, META)

    async def open(self, installation_id: int, at: Meter | None = None, **changes: Any) -> None:
        """Open an installation of a street's meter, or of one that is not polled."""
        connection = MeterConnection(
            serial=at.serial if at else f"PUSHED{installation_id}",
            profile=at.map.profile if at else "hiking_dds238_2_znsr",
            host=at.host if at else "",
            port=at.port if at else 0,
            unit_id=at.unit_id if at else 1,
        )
        values = {
            "installation_id": installation_id,
            "account_id": installation_id * 10,
            "customer_id": installation_id,
            "usage_point_id": installation_id,
            "commodity": "electricity",
            "meter": connection,
            "opening_register_wh": at.register_wh if at else 1_000_000,
            "max_power_w": 13_800,
            "plan_code": "flat",
            "currency": "KES",
            "time_zone": "Africa/Nairobi",
            "opened_at": self.clock.now(),
        }
        await self.tell(InstallationOpened(**{**values, **changes}))

    async def close(self, installation_id: int, register_wh: int = 0) -> None:
        await self.tell(
            InstallationClosed(
                installation_id=installation_id,
                account_id=installation_id * 10,
                closing_register_wh=register_wh,
                closed_at=self.clock.now(),
            )
        )

    async def desire(
        self,
        installation_id: int,
        state: str,
        revision: int | None = None,
        *,
        limit_w: int | None = None,
    ) -> int:
        self.revisions = revision or self.revisions + 1
        await self.tell(
            SupplyDesired(
                installation_id=installation_id,
                account_id=installation_id * 10,
                state=state,  # type: ignore[arg-type]
                revision=self.revisions,
                reason="test",
                decided_at=self.clock.now(),
                limit_w=limit_w,
            )
        )
        return self.revisions

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.connect() as conn:
            return [dict(r._mapping) for r in await conn.execute(text(query), values)]

    async def supply(self, installation_id: int) -> dict[str, Any]:
        rows = await self.rows("SELECT * FROM supply WHERE installation_id = :i", i=installation_id)
        return rows[0] if rows else {}

    async def events(self, installation_id: int) -> list[str]:
        rows = await self.rows(
            "SELECT kind FROM meter_event WHERE installation_id = :i ORDER BY event_id",
            i=installation_id,
        )
        return [row["kind"] for row in rows]

    async def open_alarms(self) -> list[str]:
        rows = await self.rows("SELECT kind FROM alarm WHERE cleared_at IS NULL ORDER BY kind")
        return [row["kind"] for row in rows]

    async def has_registers(self, installation_id: int, count: int) -> bool:
        """Whether so many readings at least were accepted."""
        return len(await self.registers(installation_id)) >= count

    async def said(self, name: str) -> list[dict[str, Any]]:
        """Bodies of what waits in the outbox under a routing key."""
        rows = await self.rows(
            "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM outbox "
            "WHERE routing_key = :name ORDER BY id",
            name=name,
        )
        return [row["body"] for row in rows]

    async def told_registers(self) -> list[int]:
        """The registers of all readings in the outbox, doubled ones too."""
        rows = await self.rows(
            "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM outbox "
            "WHERE exchange = 'npms.readings'"
        )
        return sorted(wh for row in rows for wh in row["body"]["register_wh"])

    async def reported(self, installation_id: int) -> list[tuple[str, int, bool]]:
        bodies = await self.said("supply_reported.v1")
        return [
            (body["state"], body["desired_revision"], body["verified"])
            for body in bodies
            if body["installation_id"] == installation_id
        ]

    async def registers(self, installation_id: int) -> list[int]:
        rows = await self.rows(
            "SELECT register_wh FROM reading WHERE installation_id = :i ORDER BY taken_at",
            i=installation_id,
        )
        return [row["register_wh"] for row in rows]


def operation(
    world: World,
    *,
    interval_s: float = 0.1,
    slow_s: float = 0,
    lease_s: float = 10,
    units: BreakerPolicy = BreakerPolicy(first_pause_s=0.3, longest_pause_s=0.6),  # noqa: B008
    switching: SwitchingPolicy = SwitchingPolicy(first_pause_s=0.2, longest_pause_s=0.4),  # noqa: B008
    **changes: Any,
) -> Operation:
    """Everything that speaks to meters, hurried; `changes` are of its context."""
    context = world.context(switching=switching, **changes)
    return Operation(
        context=context,
        recorder=ReadingRecorder(context),
        cadence=Cadence(interval_s, slow_s=slow_s),
        units=units,
        concurrency=8,
        lease_s=lease_s,
    )


@asynccontextmanager
async def service_of(world: World, issuer: TestIssuer, **settings: Any) -> AsyncIterator[Service]:
    """The service over the world's database and clock; it meets no broker unless one is given."""
    values = {
        "database_url": world.store.url,
        "amqp_url": "amqp://x/y",
        "jwks_path": issuer.jwks_path,
        **settings,
    }
    service = build(MeterGatewaySettings(**values), clock=world.clock)
    try:
        yield service
    finally:
        await service.database.close()


@asynccontextmanager
async def client_of(
    service: Service, headers: dict[str, str] | None = None, *, hides_failures: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    """Asks its REST interface; `hides_failures` makes a fault of ours an answer, as on a socket."""
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=not hides_failures)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers=headers
    ) as client:
        yield client


@asynccontextmanager
async def operating(of: Operation) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(of.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


@asynccontextmanager
async def serving(street: Street) -> AsyncIterator[Street]:
    await street.start()
    try:
        yield street
    finally:
        await street.stop()


def of_profile(street: Street, profile: str) -> Meter:
    """The first meter of a device type."""
    return next(meter for meter in street.meters.values() if meter.map.profile == profile)
