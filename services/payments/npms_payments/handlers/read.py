"""What may be looked at."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.errors import NotFound
from npms_payments.domain.records import Payment, Review, Suspended
from npms_payments.storage import payments, provider_events, suspense


async def find_payment(conn: AsyncConnection, payment_id: UUID) -> Payment:
    found = await payments.find(conn, payment_id)
    if found is None:
        raise NotFound("payment", payment_id)
    return found


async def list_payments(
    conn: AsyncConnection, account_id: int, *, before: UUID | None, limit: int
) -> list[Payment]:
    return await payments.list_of_account(conn, account_id, before=before, limit=limit)


async def list_suspense(
    conn: AsyncConnection, *, state: str | None, before: UUID | None, limit: int
) -> list[Suspended]:
    return await suspense.list_items(conn, state=state, before=before, limit=limit)


async def list_reviews(conn: AsyncConnection, *, before: UUID | None, limit: int) -> list[Review]:
    return await provider_events.list_reviews(conn, before=before, limit=limit)
