"""Money that fits nowhere yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Money, Suspended
from npms_payments.storage.tables import suspense_item


async def insert_item(
    conn: AsyncConnection,
    *,
    suspense_id: UUID,
    money: Money,
    account_given: str,
    order_id: UUID | None,
    reason: str,
    at: datetime,
    by: str,
) -> None:
    await conn.execute(
        insert(suspense_item).values(
            suspense_id=suspense_id,
            amount_micro=money.amount_micro,
            currency=money.currency,
            source=money.source,
            issuer=money.issuer,
            reference=money.reference,
            account_given=account_given,
            order_id=order_id,
            reason=reason,
            state="open",
            received_at=at,
            received_by=by,
        )
    )


async def find(conn: AsyncConnection, suspense_id: UUID, *, lock: bool = False) -> Suspended | None:
    statement = select(suspense_item).where(suspense_item.c.suspense_id == suspense_id)
    if lock:
        statement = statement.with_for_update()
    row = (await conn.execute(statement)).first()
    return Suspended(**row._mapping) if row else None


async def lock_waiting(
    conn: AsyncConnection, account_id: int, *, currency: str, opened_at: datetime
) -> list[Suspended]:
    """What came for this number, in this currency, while nothing was known of such an account, and
    not before it was opened; the oldest first.
    """
    item = suspense_item.c
    number = func.ltrim(func.btrim(item.account_given), "0")
    statement = (
        select(suspense_item)
        .where(item.state == "open", item.reason == "account_unknown")
        .where(number == str(account_id), item.currency == currency)
        .where(item.received_at >= opened_at)
        .order_by(item.suspense_id)
        .with_for_update()
    )
    return [Suspended(**row._mapping) for row in await conn.execute(statement)]


async def lock_reference(conn: AsyncConnection, *, source: str, reference: str) -> Suspended | None:
    """Money of a provider by the provider's own number."""
    columns = suspense_item.c
    statement = select(suspense_item).where(
        columns.source == source, columns.issuer == "", columns.reference == reference
    )
    row = (await conn.execute(statement.with_for_update())).first()
    return Suspended(**row._mapping) if row else None


async def list_items(
    conn: AsyncConnection, *, state: str | None, before: UUID | None, limit: int
) -> list[Suspended]:
    """Newest first."""
    statement = select(suspense_item).order_by(suspense_item.c.suspense_id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(suspense_item.c.state == state)
    if before is not None:
        statement = statement.where(suspense_item.c.suspense_id < before)
    return [Suspended(**row._mapping) for row in await conn.execute(statement)]


async def mark_allocated(
    conn: AsyncConnection,
    suspense_id: UUID,
    *,
    payment_id: UUID,
    at: datetime,
    by: str,
    reason: str,
) -> None:
    await conn.execute(
        update(suspense_item)
        .where(suspense_item.c.suspense_id == suspense_id)
        .values(
            state="allocated",
            payment_id=payment_id,
            allocated_at=at,
            allocated_by=by,
            allocated_reason=reason,
        )
    )


async def mark_returned(
    conn: AsyncConnection,
    suspense_id: UUID,
    *,
    at: datetime,
    by: str,
    reason: str,
    reference: str,
) -> None:
    await conn.execute(
        update(suspense_item)
        .where(suspense_item.c.suspense_id == suspense_id)
        .values(
            state="returned",
            returned_at=at,
            returned_by=by,
            returned_reason=reason,
            returned_reference=reference,
        )
    )
