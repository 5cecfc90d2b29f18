"""Voucher batches, vouchers by their keyed hash, and who tried wrong ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Batch
from npms_payments.storage.tables import voucher, voucher_batch, voucher_guard

_INSERT_VOUCHERS = text(
    """
    INSERT INTO voucher (lookup_key, serial, batch_id)
    SELECT key, serial, :batch_id
    FROM unnest(CAST(:keys AS bytea[]), CAST(:serials AS text[])) AS made (key, serial)
    """
)
_REDEEM = text(
    """
    UPDATE voucher v
    SET state = 'redeemed', payment_id = :payment_id, redeemed_at = :at
    FROM voucher_batch b
    WHERE v.lookup_key = :lookup_key AND v.state = 'active'
      AND b.batch_id = v.batch_id AND b.expires_at > :at AND b.currency = :currency
    RETURNING v.serial, b.value_micro, b.currency
    """
)
_MAKE_GUARDS = text(
    """
    INSERT INTO voucher_guard (subject) SELECT unnest(CAST(:subjects AS text[])) ORDER BY 1
    ON CONFLICT DO NOTHING
    """
)


@dataclass(frozen=True, slots=True)
class Redeemed:
    serial: str
    value_micro: int
    currency: str


async def insert_batch(
    conn: AsyncConnection,
    *,
    batch_id: UUID,
    value_micro: int,
    currency: str,
    voucher_count: int,
    expires_at: datetime,
    at: datetime,
    by: str,
) -> None:
    """An inactive batch, as yet without vouchers."""
    await conn.execute(
        insert(voucher_batch).values(
            batch_id=batch_id,
            value_micro=value_micro,
            currency=currency,
            voucher_count=voucher_count,
            expires_at=expires_at,
            state="inactive",
            created_at=at,
            created_by=by,
        )
    )


async def insert_vouchers(
    conn: AsyncConnection, batch_id: UUID, *, keys: Sequence[bytes], serials: Sequence[str]
) -> None:
    await conn.execute(
        _INSERT_VOUCHERS, {"batch_id": batch_id, "keys": list(keys), "serials": list(serials)}
    )


async def find_batch(conn: AsyncConnection, batch_id: UUID, *, lock: bool = False) -> Batch | None:
    statement = select(voucher_batch).where(voucher_batch.c.batch_id == batch_id)
    if lock:
        statement = statement.with_for_update()
    row = (await conn.execute(statement)).first()
    return Batch(**row._mapping) if row else None


async def mark_printed(conn: AsyncConnection, batch_id: UUID, *, at: datetime, by: str) -> None:
    await conn.execute(
        update(voucher_batch)
        .where(voucher_batch.c.batch_id == batch_id)
        .values(state="printed", printed_at=at, printed_by=by)
    )


async def reject_batch(
    conn: AsyncConnection, batch_id: UUID, *, at: datetime, by: str, reason: str
) -> None:
    """Its vouchers, if it has any, stay inactive."""
    await conn.execute(
        update(voucher_batch)
        .where(voucher_batch.c.batch_id == batch_id)
        .values(state="rejected", rejected_at=at, rejected_by=by, rejected_reason=reason)
    )


async def activate_batch(conn: AsyncConnection, batch_id: UUID, *, at: datetime, by: str) -> None:
    await conn.execute(
        update(voucher_batch)
        .where(voucher_batch.c.batch_id == batch_id)
        .values(state="active", activated_at=at, activated_by=by)
    )
    await conn.execute(
        update(voucher)
        .where(voucher.c.batch_id == batch_id, voucher.c.state == "inactive")
        .values(state="active")
    )


async def redeem(
    conn: AsyncConnection, lookup_key: bytes, *, payment_id: UUID, currency: str, at: datetime
) -> Redeemed | None:
    """Use an active voucher up, once; None for every other kind, by the same statement."""
    row = (
        await conn.execute(
            _REDEEM,
            {
                "lookup_key": lookup_key,
                "payment_id": payment_id,
                "currency": currency,
                "at": at,
            },
        )
    ).first()
    return Redeemed(**row._mapping) if row else None


async def lock_guards(conn: AsyncConnection, subjects: Sequence[str]) -> dict[str, list[datetime]]:
    """When each subject last tried wrong; nobody else tries for them until the transaction ends."""
    await conn.execute(_MAKE_GUARDS, {"subjects": sorted(subjects)})
    rows = await conn.execute(
        select(voucher_guard)
        .where(voucher_guard.c.subject.in_(subjects))
        .order_by(voucher_guard.c.subject)
        .with_for_update()
    )
    return {row.subject: list(row.failed_at) for row in rows}


async def save_guard(conn: AsyncConnection, subject: str, failed_at: Sequence[datetime]) -> None:
    await conn.execute(
        update(voucher_guard)
        .where(voucher_guard.c.subject == subject)
        .values(failed_at=list(failed_at))
    )
