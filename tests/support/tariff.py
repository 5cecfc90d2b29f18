"""A tariff service in hand: its database, its handlers and what it published, without a broker."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from npms_shared.clock import Clock, ManualClock
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened, MeterConnection
from npms_shared.contracts.meter_gateway import ReadingsBatch, RegisterFell
from npms_shared.contracts.tariff import AdjustmentCharged, ChargesBatch
from npms_shared.db import invariants
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    PartitionSubscription,
    Received,
)
from npms_tariff.bootstrap import build
from npms_tariff.consumers import subscriptions
from npms_tariff.handlers.charge_silence import charge_batch
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.run_corrections import correct_batch
from npms_tariff.invariants import RULES
from npms_tariff.settings import TariffSettings
from npms_tariff.storage.states import StaleState

EXAMPLES = Path(build.__code__.co_filename).parents[1] / "examples"
OPENED_AT = datetime(2026, 11, 2, 5, tzinfo=UTC)
OPENED_S = int(OPENED_AT.timestamp())
LATER = datetime(2027, 1, 1, tzinfo=UTC)
PARTITION = 3


def example(name: str) -> dict[str, Any]:
    return dict(json.loads((EXAMPLES / f"{name}.json").read_text()))


async def agree(
    client: httpx.AsyncClient, place: str, verb: str = "activate", headers: Any = None
) -> httpx.Response:
    """Somebody looks at what waits, and decides about what they saw."""
    seen = (await client.get(place, headers=headers)).headers.get("ETag", '"nothing"')
    return await client.post(f"{place}/{verb}", headers={**(headers or {}), "If-Match": seen})


async def put_in_force(
    client: httpx.AsyncClient, second: dict[str, str], plan: dict[str, Any]
) -> dict[str, Any]:
    """A plan, or with `plan_code` and without a name a version of one, drafted by the client and
    activated by the second person."""
    code = plan["plan_code"]
    if "name" in plan:
        answer = await client.post("/v1/plans", json=plan)
    else:
        body = {key: plan[key] for key in ("valid_from", "document")}
        answer = await client.post(f"/v1/plans/{code}/versions", json=body)
    assert answer.status_code == 201, answer.text
    place = f"/v1/plans/{code}/versions/{answer.json()['version']}"
    answer = await agree(client, place, headers=second)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def opened(installation_id: int = 1, **changes: Any) -> InstallationOpened:
    values = {
        "installation_id": installation_id,
        "account_id": installation_id + 100,
        "customer_id": installation_id + 200,
        "usage_point_id": installation_id,
        "commodity": "electricity",
        "meter": MeterConnection(serial="S", profile="p", host="127.0.0.1", port=502, unit_id=1),
        "opening_register_wh": 1000,
        "max_power_w": 10_000,
        "plan_code": "household-flat",
        "currency": "KES",
        "time_zone": "Africa/Nairobi",
        "opened_at": OPENED_AT,
    }
    return InstallationOpened.model_validate(values | changes)


def readings(*rows: tuple[int, int, int]) -> ReadingsBatch:
    """(installation, seconds after opening, register)"""
    return ReadingsBatch(
        installation_id=[row[0] for row in rows],
        account_id=[row[0] + 100 for row in rows],
        taken_at_s=[OPENED_S + row[1] for row in rows],
        register_wh=[row[2] for row in rows],
    )


def meta() -> Meta:
    return Meta(new_id(), "test", "1", OPENED_AT)


def tariff_context(database: Database, clock: Clock, **changes: Any) -> Context:
    """As by default settings, with sixteen partitions."""
    settings = {
        "partitions": 16,
        "future_tolerance": timedelta(minutes=10),
        "silence_after_h": 24,
        "hours_kept_months": 25,
    }
    return Context(database, clock, **{**settings, **changes})


async def charge_silence(context: Context) -> None:
    """The loop's whole pass."""
    after: int | None = 0
    while after is not None:
        async with context.database.transaction() as conn:
            after = await charge_batch(conn, context, after)


async def work_off_corrections(context: Context) -> None:
    """All that are approved."""
    found = True
    while found:
        async with context.database.transaction() as conn:
            found = await correct_batch(conn, context)


@dataclass
class TariffHarness:
    """Handlers on one database; `hear` and `read` each are a transaction as the frame makes it."""

    database: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(LATER))

    def __post_init__(self) -> None:
        self.context = tariff_context(self.database, self.clock)
        subscribed = subscriptions(self.context)
        (self.partitions,) = [one for one in subscribed if isinstance(one, PartitionSubscription)]
        self.events = [one for one in subscribed if isinstance(one, EventSubscription)]

    async def hear(self, event: InstallationOpened | InstallationClosed | RegisterFell) -> None:
        (queue,) = [one for one in self.events if type(event) in one.contracts]
        async with self.database.transaction() as conn:
            await queue.handle(conn, event, meta())

    async def read(self, *batches: ReadingsBatch) -> None:
        received = [Received(meta(), batch) for batch in batches]
        try:
            async with self.database.transaction() as conn:
                await self.partitions.handle(conn, [(PARTITION, received)])
        except BaseException:
            self.partitions.forget(PARTITION)
            raise

    async def read_through(self, *rows: tuple[int, int, int]) -> None:
        """As the frame does: rated again when somebody else changed a state."""
        try:
            await self.read(readings(*rows))
        except StaleState:
            await self.read(readings(*rows))

    async def assert_rules_hold(self) -> None:
        assert await invariants.check(self.database, RULES) == []

    async def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self.database.connect() as conn:
            return [tuple(row) for row in await conn.execute(text(query), values)]

    async def one(self, query: str, **values: Any) -> tuple[Any, ...]:
        (row,) = await self.rows(query, **values)
        return row

    async def charges(self) -> list[ChargesBatch]:
        """Batches published so far."""
        rows = await self.rows(
            "SELECT body FROM outbox WHERE exchange = 'npms.charges' ORDER BY id"
        )
        return [ChargesBatch.model_validate_json(body) for (body,) in rows]

    async def adjustments(self) -> list[AdjustmentCharged]:
        """Those published so far."""
        rows = await self.rows(
            "SELECT body FROM outbox WHERE routing_key = :key ORDER BY id",
            key=AdjustmentCharged.name,
        )
        return [AdjustmentCharged.model_validate_json(body) for (body,) in rows]

    async def charged_micro(self, installation_id: int = 1) -> int:
        """All that the ledger is to charge an installation."""
        charges = sum(
            amount
            for batch in await self.charges()
            for one, amount in zip(batch.installation_id, batch.amount_micro, strict=True)
            if one == installation_id
        )
        adjusted = [e for e in await self.adjustments() if e.installation_id == installation_id]
        return charges + sum(event.amount_micro for event in adjusted)


def service(
    database_url: str, jwks_path: Path, clock: ManualClock, *, amqp_url: str = "amqp://127.0.0.1"
) -> Any:
    settings = TariffSettings(database_url=database_url, amqp_url=amqp_url, jwks_path=jwks_path)
    return build(settings, clock=clock)
