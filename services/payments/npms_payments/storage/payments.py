"""Payments and the movements of money they rest on."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.lifecycle import State
from npms_payments.domain.records import Money, Payment
from npms_payments.storage.tables import arrival, checkout, payment

_UNCREDITED = text(
    """
    SELECT coalesce(sum(amount_micro), 0) FROM payment
    WHERE account_id = :account_id AND settled_at IS NOT NULL AND credited_at IS NULL
      AND state = 'settled'
    """
)


def _select() -> Select[Any]:
    return select(
        *payment.c, checkout.c.provider, checkout.c.provider_ref, checkout.c.checkout_url
    ).select_from(payment.outerjoin(checkout, checkout.c.payment_id == payment.c.payment_id))


def _payment(row: Row[Any]) -> Payment:
    values = dict(row._mapping)
    return Payment(**values | {"state": State(values["state"])})


async def insert_payment(
    conn: AsyncConnection,
    *,
    payment_id: UUID,
    account_id: int,
    money: Money,
    state: State,
    at: datetime,
    by: str,
) -> None:
    """A new payment: `settled` at once, or an order without a reference as yet."""
    settled = state is State.SETTLED
    await conn.execute(
        insert(payment).values(
            payment_id=payment_id,
            account_id=account_id,
            amount_micro=money.amount_micro,
            currency=money.currency,
            source=money.source,
            issuer=money.issuer,
            reference=money.reference if settled else None,
            state=state.value,
            created_at=at,
            created_by=by,
            settled_at=at if settled else None,
        )
    )


async def has_arrived(conn: AsyncConnection, money: Money) -> bool:
    found = await conn.execute(
        select(arrival.c.reference).where(
            arrival.c.source == money.source,
            arrival.c.issuer == money.issuer,
            arrival.c.reference == money.reference,
        )
    )
    return found.first() is not None


async def claim_arrival(conn: AsyncConnection, money: Money, *, at: datetime) -> bool:
    """Note that this money came; False when it was noted before."""
    statement = (
        upsert(arrival)
        .values(
            source=money.source,
            issuer=money.issuer,
            reference=money.reference,
            amount_micro=money.amount_micro,
            currency=money.currency,
            arrived_at=at,
        )
        .on_conflict_do_nothing()
        .returning(arrival.c.reference)
    )
    return (await conn.execute(statement)).first() is not None


async def find(conn: AsyncConnection, payment_id: UUID) -> Payment | None:
    row = (await conn.execute(_select().where(payment.c.payment_id == payment_id))).first()
    return _payment(row) if row else None


async def lock(conn: AsyncConnection, payment_id: UUID) -> Payment | None:
    """The payment, which nobody else changes until this transaction ends."""
    statement = _select().where(payment.c.payment_id == payment_id).with_for_update(of=payment)
    row = (await conn.execute(statement)).first()
    return _payment(row) if row else None


async def find_reference(conn: AsyncConnection, source: str, reference: str) -> Payment | None:
    """The payment of a provider's money, by the provider's own number."""
    named = (payment.c.source == source, payment.c.issuer == "", payment.c.reference == reference)
    row = (await conn.execute(_select().where(*named))).first()
    return _payment(row) if row else None


async def moved_since(conn: AsyncConnection, at: datetime | None) -> AsyncIterator[Payment]:
    """Payments that were settled or reversed from then on, or at any time; the oldest first."""
    moved = payment.c.settled_at.is_not(None) | payment.c.reversed_at.is_not(None)
    if at is not None:
        moved = (payment.c.settled_at >= at) | (payment.c.reversed_at >= at)
    async with conn.stream(_select().where(moved).order_by(payment.c.payment_id)) as rows:
        async for row in rows:
            yield _payment(row)


async def list_of_account(
    conn: AsyncConnection, account_id: int, *, before: UUID | None, limit: int
) -> list[Payment]:
    """Newest first, those older than `before`."""
    statement = _select().where(payment.c.account_id == account_id)
    if before is not None:
        statement = statement.where(payment.c.payment_id < before)
    statement = statement.order_by(payment.c.payment_id.desc()).limit(limit)
    rows: Sequence[Row[Any]] = (await conn.execute(statement)).all()
    return [_payment(row) for row in rows]


async def _set(conn: AsyncConnection, payment_id: UUID, **values: object) -> None:
    await conn.execute(update(payment).where(payment.c.payment_id == payment_id).values(**values))


async def mark_settled(
    conn: AsyncConnection, payment_id: UUID, *, reference: str, at: datetime
) -> None:
    await _set(conn, payment_id, state=State.SETTLED.value, reference=reference, settled_at=at)


async def mark_reversed(
    conn: AsyncConnection, payment_id: UUID, *, reversal_id: UUID, reason: str, at: datetime
) -> None:
    await _set(
        conn,
        payment_id,
        state=State.REVERSED.value,
        reversal_id=reversal_id,
        reversal_reason=reason,
        reversed_at=at,
    )


async def move(
    conn: AsyncConnection, payment_id: UUID, state: State, *, failure_code: str | None = None
) -> None:
    """To a state that no money goes with."""
    await _set(conn, payment_id, state=state.value, failure_code=failure_code)


async def mark_credited(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    at: datetime,
    to_debt_micro: int,
    to_emergency_micro: int,
    to_balance_micro: int,
    balance_after_micro: int,
) -> None:
    await _set(
        conn,
        payment_id,
        credited_at=at,
        to_debt_micro=to_debt_micro,
        to_emergency_micro=to_emergency_micro,
        to_balance_micro=to_balance_micro,
        balance_after_micro=balance_after_micro,
    )


async def uncredited_micro(conn: AsyncConnection, account_id: int) -> int:
    """What has settled for an account and was not yet credited, in micro-units."""
    found = await conn.execute(_UNCREDITED, {"account_id": account_id})
    return int(found.scalar_one())
