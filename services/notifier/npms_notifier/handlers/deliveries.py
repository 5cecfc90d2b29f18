"""What was sent to the people of an account, and what became of it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.records import Delivery
from npms_notifier.handlers.accounts import visible_account
from npms_notifier.storage import deliveries
from npms_shared.auth.tokens import Principal


async def list_deliveries(
    conn: AsyncConnection, account_id: int, caller: Principal, *, before: UUID | None, most: int
) -> list[Delivery]:
    """Newest first; raises AccountUnknown."""
    await visible_account(conn, account_id, caller)
    return await deliveries.list_of(conn, account_id, before=before, most=most)
