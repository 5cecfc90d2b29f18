"""Money set aside finds its account, by somebody's word and reason."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_currency
from npms_payments.domain.errors import NotFound, SuspenseClosed
from npms_payments.domain.records import Money, Payment, Suspended
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.context import Context
from npms_payments.handlers.read import find_payment
from npms_payments.handlers.settle import settle_new
from npms_payments.storage import suspense
from npms_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Allocate:
    suspense_id: UUID
    account_id: int
    reason: str
    by: str


async def allocate(conn: AsyncConnection, context: Context, command: Allocate) -> Payment:
    """Raises NotFound, SuspenseClosed, AccountUnknown, AccountIsClosed, WrongCurrency."""
    item = await find_open_item(conn, command)
    payment_id, now = new_id(), context.clock.now()
    await settle_new(
        conn,
        Money(item.amount_micro, item.currency, item.source, item.reference, item.issuer),
        payment_id=payment_id,
        account_id=command.account_id,
        at=now,
        by=command.by,
    )
    await suspense.mark_allocated(
        conn,
        item.suspense_id,
        payment_id=payment_id,
        at=now,
        by=command.by,
        reason=command.reason,
    )
    return await find_payment(conn, payment_id)


async def find_open_item(conn: AsyncConnection, command: Allocate) -> Suspended:
    """What is to be allocated, locked. Raises as allocate does."""
    item = await lock_open_item(conn, command.suspense_id)
    _, currency = await find_open_account(conn, command.account_id)
    check_currency(item.currency, expected=currency)
    return item


async def lock_open_item(conn: AsyncConnection, suspense_id: UUID) -> Suspended:
    """Raises NotFound, SuspenseClosed."""
    item = await find_item(conn, suspense_id, lock=True)
    if item.state != "open":
        raise SuspenseClosed(item.suspense_id, item.state)
    return item


async def find_item(conn: AsyncConnection, suspense_id: UUID, *, lock: bool = False) -> Suspended:
    found = await suspense.find(conn, suspense_id, lock=lock)
    if found is None:
        raise NotFound("suspense item", suspense_id)
    return found
