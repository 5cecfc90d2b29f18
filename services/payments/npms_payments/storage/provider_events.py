"""What providers said, each once, with what became of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, literal, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.lifecycle import Fact
from npms_payments.domain.provider_events import Action, Decision, ProviderEvent
from npms_payments.domain.records import Review
from npms_payments.storage.tables import provider_event, review


async def insert_event(
    conn: AsyncConnection,
    event: ProviderEvent,
    decision: Decision,
    *,
    body: bytes,
    at: datetime,
) -> bool:
    """Keep the event; False when its id or its movement of money was told before."""
    statement = (
        upsert(provider_event)
        .values(
            provider=event.provider,
            event_id=event.event_id,
            fact=event.fact.value,
            order_id=event.order_id,
            txn_id=event.txn_id,
            of_txn_id=event.of_txn_id,
            amount_micro=event.amount_micro,
            currency=event.currency,
            outcome=decision.action.value,
            reason=decision.reason,
            body=body,
            received_at=at,
        )
        .on_conflict_do_nothing()
        .returning(provider_event.c.event_id)
    )
    return (await conn.execute(statement)).first() is not None


async def find_same(conn: AsyncConnection, event: ProviderEvent) -> list[ProviderEvent]:
    """The events kept under this one's id or movement of money."""
    columns = provider_event.c
    rows = await conn.execute(
        _told().where(
            columns.provider == event.provider,
            or_(columns.event_id == event.event_id, columns.txn_id == event.txn_id),
        )
    )
    return [_event(row) for row in rows]


def _told() -> Select[Any]:
    columns = provider_event.c
    return select(
        columns.provider,
        columns.event_id,
        columns.fact,
        columns.order_id,
        columns.txn_id,
        columns.amount_micro,
        columns.currency,
        columns.of_txn_id,
    )


def _event(row: Row[Any]) -> ProviderEvent:
    return ProviderEvent(**{**row._mapping, "fact": Fact(row.fact)})


async def find_reversal(
    conn: AsyncConnection, event: ProviderEvent, *, of_txn_id: str
) -> ProviderEvent | None:
    """What was told of money that went back in full, before it was told that it came."""
    columns = provider_event.c
    rows = await conn.execute(
        _told().where(
            columns.provider == event.provider,
            columns.of_txn_id == of_txn_id,
            columns.amount_micro == event.amount_micro,
            columns.currency == event.currency,
        )
    )
    return next(map(_event, rows), None)


async def reversed_txn(conn: AsyncConnection, order_id: UUID) -> str | None:
    """The movement of money that the reversal named which ended an order before its payment."""
    columns = provider_event.c
    rows = await conn.execute(
        select(columns.of_txn_id).where(
            columns.order_id == order_id,
            columns.fact == literal(Fact.REVERSED.value, literal_execute=True),
            columns.outcome == Action.CLOSE.value,
        )
    )
    return rows.scalar()


async def insert_review(conn: AsyncConnection, found: Review) -> None:
    """Ask a person to look; once per event and reason."""
    statement = upsert(review).values(
        review_id=found.review_id,
        provider=found.provider,
        event_id=found.event_id,
        order_id=found.order_id,
        reason=found.reason,
        detail=found.detail,
        raised_at=found.raised_at,
    )
    await conn.execute(statement.on_conflict_do_nothing())


async def list_reviews(conn: AsyncConnection, *, before: UUID | None, limit: int) -> list[Review]:
    statement = select(review).order_by(review.c.review_id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(review.c.review_id < before)
    return [Review(**row._mapping) for row in await conn.execute(statement)]
