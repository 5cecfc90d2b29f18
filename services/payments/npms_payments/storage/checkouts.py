"""What is open at payment providers, and when to ask about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.storage.tables import checkout


async def insert_checkout(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    provider: str,
    query_at: datetime,
    expires_at: datetime,
) -> None:
    await conn.execute(
        insert(checkout).values(
            payment_id=payment_id,
            provider=provider,
            queries=0,
            query_at=query_at,
            expires_at=expires_at,
        )
    )


async def save_opened(
    conn: AsyncConnection, payment_id: UUID, *, provider_ref: str, checkout_url: str
) -> None:
    await conn.execute(
        update(checkout)
        .where(checkout.c.payment_id == payment_id)
        .values(provider_ref=provider_ref, checkout_url=checkout_url)
    )


async def ask_no_more(conn: AsyncConnection, payment_id: UUID) -> None:
    await conn.execute(
        update(checkout).where(checkout.c.payment_id == payment_id).values(query_at=None)
    )


async def find_due(conn: AsyncConnection, *, at: datetime, limit: int) -> list[UUID]:
    """Orders to ask their providers about, longest due first."""
    rows = await conn.execute(
        select(checkout.c.payment_id)
        .where(checkout.c.query_at <= at)
        .order_by(checkout.c.query_at)
        .limit(limit)
    )
    return list(rows.scalars())


async def take_query(
    conn: AsyncConnection, payment_id: UUID, *, at: datetime
) -> tuple[int, datetime] | None:
    """Lock an order that is still due: queries made, expiry. None if another took it first."""
    row = (
        await conn.execute(
            select(checkout.c.queries, checkout.c.expires_at)
            .where(checkout.c.payment_id == payment_id, checkout.c.query_at <= at)
            .with_for_update(skip_locked=True)
        )
    ).first()
    return (row.queries, row.expires_at) if row else None


async def save_query(
    conn: AsyncConnection, payment_id: UUID, *, queries: int, query_at: datetime
) -> None:
    await conn.execute(
        update(checkout)
        .where(checkout.c.payment_id == payment_id)
        .values(queries=queries, query_at=query_at)
    )
