"""Voucher batches: made inactive, their PINs shown once, and activated by a later word."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_amount
from npms_payments.domain.errors import BatchIsActive, NotFound
from npms_payments.domain.records import Batch
from npms_payments.domain.vouchers import check_expiry, lookup_key, make_pin, serial_of
from npms_payments.handlers.context import Context
from npms_payments.storage import vouchers
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


async def make_batch(
    conn: AsyncConnection, context: Context, command: MakeBatch
) -> tuple[Batch, list[Printed]]:
    now = context.clock.now()
    check_amount(command.value_micro, limit_micro=context.policy.max_payment_micro)
    check_expiry(command.expires_at, now=now)
    batch_id = new_id()
    number = await vouchers.insert_batch(
        conn,
        batch_id=batch_id,
        value_micro=command.value_micro,
        currency=command.currency,
        voucher_count=command.count,
        expires_at=command.expires_at,
        at=now,
        by=command.by,
    )
    printed = [
        Printed(serial_of(number, index), make_pin(secrets.randbelow))
        for index in range(1, command.count + 1)
    ]
    await vouchers.insert_vouchers(
        conn,
        batch_id,
        keys=[lookup_key(one.pin, context.pepper) for one in printed],
        serials=[one.serial for one in printed],
    )
    return await find_batch(conn, batch_id), printed


async def activate_batch(
    conn: AsyncConnection, context: Context, batch_id: UUID, *, by: str
) -> Batch:
    found = await find_batch(conn, batch_id, lock=True)
    if found.state == "active":
        raise BatchIsActive(batch_id)
    await vouchers.activate_batch(conn, batch_id, at=context.clock.now(), by=by)
    return await find_batch(conn, batch_id)


async def find_batch(conn: AsyncConnection, batch_id: UUID, *, lock: bool = False) -> Batch:
    found = await vouchers.find_batch(conn, batch_id, lock=lock)
    if found is None:
        raise NotFound("voucher batch", batch_id)
    return found
