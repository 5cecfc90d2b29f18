"""What providers said, each once, with what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.lifecycle import Fact
from npms_payments.domain.provider_events import Decision, ProviderEvent
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
        select(
            columns.provider,
            columns.event_id,
            columns.fact,
            columns.order_id,
            columns.txn_id,
            columns.amount_micro,
            columns.currency,
        ).where(
            columns.provider == event.provider,
            or_(columns.event_id == event.event_id, columns.txn_id == event.txn_id),
        )
    )
    return [ProviderEvent(**{**row._mapping, "fact": Fact(row.fact)}) for row in rows]


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
