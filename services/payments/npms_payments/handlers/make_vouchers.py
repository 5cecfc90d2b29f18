"""Voucher batches, by three people: one makes a batch, one prints it, one activates it."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_amount
from npms_payments.domain.errors import BatchState, NotFound
from npms_payments.domain.records import Batch
from npms_payments.domain.vouchers import check_expiry, lookup_key, make_pin, serial_of
from npms_payments.handlers.context import Context
from npms_payments.storage import vouchers
from npms_shared.approval import Approval, SecondPersonRequired
from npms_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class MakeBatch:
    value_micro: int
    currency: str
    count: int
    expires_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Printed:
    """One voucher in clear, for whoever prints it; never stored, never logged."""

    serial: str
    pin: str

    def __repr__(self) -> str:
        return f"Printed({self.serial})"


async def make_batch(conn: AsyncConnection, context: Context, command: MakeBatch) -> Batch:
    """A batch without vouchers as yet. Raises AmountRefused, ExpiryRefused."""
    now = context.clock.now()
    check_amount(command.value_micro, limit_micro=context.policy.max_payment_micro)
    check_expiry(command.expires_at, now=now)
    batch_id = new_id()
    await vouchers.insert_batch(
        conn,
        batch_id=batch_id,
        value_micro=command.value_micro,
        currency=command.currency,
        voucher_count=command.count,
        expires_at=command.expires_at,
        at=now,
        by=command.by,
    )
    return await find_batch(conn, batch_id)


async def print_batch(
    conn: AsyncConnection, context: Context, batch_id: UUID, *, by: str
) -> tuple[Batch, list[Printed]]:
    """The vouchers with their PINs, which nobody can be shown again; by another than who made it.

    Raises NotFound, BatchState, SecondPersonRequired.
    """
    batch = await _lock_batch(conn, batch_id, "inactive")
    if batch.created_by == by:
        raise SecondPersonRequired(by)
    printed = [
        Printed(serial_of(batch.batch_number, index), make_pin(secrets.randbelow))
        for index in range(1, batch.voucher_count + 1)
    ]
    await vouchers.insert_vouchers(
        conn,
        batch_id,
        keys=[lookup_key(one.pin, context.pepper) for one in printed],
        serials=[one.serial for one in printed],
    )
    await vouchers.mark_printed(conn, batch_id, at=context.clock.now(), by=by)
    return await find_batch(conn, batch_id), printed


async def activate_batch(
    conn: AsyncConnection, context: Context, batch_id: UUID, *, approval: Approval
) -> Batch:
    """Let its vouchers be redeemed; by another than who made it and who saw the PINs.

    Raises NotFound, BatchState, SecondPersonRequired, ReviewedChanged.
    """
    batch = await _lock_batch(conn, batch_id, "printed")
    approval.check(hands=[batch.created_by, batch.printed_by], reviewed=asdict(batch))
    await vouchers.activate_batch(conn, batch_id, at=context.clock.now(), by=approval.by)
    return await find_batch(conn, batch_id)


async def reject_batch(
    conn: AsyncConnection, context: Context, batch_id: UUID, *, by: str, reason: str
) -> Batch:
    """Nothing of it is ever redeemed; who made it takes it back so. Raises NotFound, BatchState."""
    await _lock_batch(conn, batch_id, "inactive", "printed")
    await vouchers.reject_batch(conn, batch_id, at=context.clock.now(), by=by, reason=reason)
    return await find_batch(conn, batch_id)


async def _lock_batch(conn: AsyncConnection, batch_id: UUID, *states: str) -> Batch:
    found = await find_batch(conn, batch_id, lock=True)
    if found.state not in states:
        raise BatchState(found.state)
    return found


async def find_batch(conn: AsyncConnection, batch_id: UUID, *, lock: bool = False) -> Batch:
    found = await vouchers.find_batch(conn, batch_id, lock=lock)
    if found is None:
        raise NotFound("voucher batch", batch_id)
    return found
