"""Deliveries: queued with the event that causes them, claimed under a lease, settled once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.deliveries import State
from npms_notifier.domain.records import ClaimedDelivery, Delivery, NewDelivery

_QUEUE = text(
    """
    INSERT INTO delivery (delivery_id, account_id, message_id, channel, address, template,
                          language, subject, body, state, due_at, held_until, created_at)
    VALUES (:delivery_id, :account_id, :message_id, :channel, :address, :template,
            :language, :subject, :body, :state, :due_at, :held_until, :created_at)
    ON CONFLICT (message_id, channel, address) DO NOTHING
    """
)
_CLAIM = text(
    """
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, due_at = :lease_until
    WHERE delivery_id IN (
        SELECT delivery_id FROM delivery WHERE due_at <= :at AND channel = :channel
        ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING delivery_id, account_id, message_id, channel, address, template, subject, body,
              attempts
    """
)
_LEASED = "WHERE delivery_id = :delivery_id AND state = 'sending' AND attempts = :attempts"
_SETTLE = text(
    f"""
    UPDATE delivery
    SET state = :state, due_at = NULL, settled_at = :at, error = :error, reference = :reference
    {_LEASED} RETURNING delivery_id
    """  # noqa: S608 - constants only
)
_RETRY = text(
    f"""
    UPDATE delivery SET state = 'retrying', due_at = :due_at, error = :error
    {_LEASED} RETURNING delivery_id
    """  # noqa: S608 - constants only
)
_RELEASE = text(
    """
    UPDATE delivery SET state = 'queued', due_at = :at, held_until = NULL
    WHERE account_id = :account_id AND held_until > :at
      AND channel = :channel AND address = :address
    """
)
_EXPIRE = text(
    """
    UPDATE delivery SET state = 'expired', settled_at = :settled_at, held_until = NULL
    WHERE delivery_id IN (
        SELECT delivery_id FROM delivery WHERE held_until <= :at
        ORDER BY held_until LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING delivery_id
    """
)
_LIST = text(
    """
    SELECT delivery_id, account_id, channel, address, template, language, subject, body, state,
           attempts, error, reference, created_at, settled_at
    FROM delivery
    WHERE account_id = :account_id
      AND (CAST(:before AS uuid) IS NULL OR delivery_id < CAST(:before AS uuid))
    ORDER BY delivery_id DESC LIMIT :most
    """
)


async def queue(conn: AsyncConnection, deliveries: Sequence[NewDelivery]) -> None:
    """Those that were queued before for the same message and address stay as they are."""
    if deliveries:
        await conn.execute(_QUEUE, [_row(delivery) for delivery in deliveries])


def _row(delivery: NewDelivery) -> dict[str, object]:
    return {
        "delivery_id": delivery.delivery_id,
        "account_id": delivery.account_id,
        "message_id": delivery.message_id,
        "channel": delivery.contact.channel.value,
        "address": delivery.contact.address,
        "template": delivery.template,
        "language": delivery.language,
        "subject": delivery.subject,
        "body": delivery.body,
        "state": (State.QUEUED if delivery.held_until is None else State.HELD).value,
        "due_at": delivery.due_at if delivery.held_until is None else None,
        "held_until": delivery.held_until,
        "created_at": delivery.created_at,
    }


async def claim(
    conn: AsyncConnection, channel: Channel, *, at: datetime, lease_until: datetime, most: int
) -> list[ClaimedDelivery]:
    """Those that are due, oldest first, counted as one attempt more; other processes skip them."""
    values = {"channel": channel.value, "at": at, "lease_until": lease_until, "most": most}
    rows = await conn.execute(_CLAIM, values)
    return [ClaimedDelivery(**{**r._mapping, "channel": Channel(r.channel)}) for r in rows]


async def put_off(
    conn: AsyncConnection, claimed: ClaimedDelivery, *, error: str, due_at: datetime
) -> bool:
    """Whether the lease still was ours."""
    return await _change(conn, _RETRY, claimed, {"error": error, "due_at": due_at})


async def settle(
    conn: AsyncConnection,
    claimed: ClaimedDelivery,
    state: State,
    *,
    at: datetime,
    error: str | None = None,
    reference: str | None = None,
) -> bool:
    """Sent, failed or expired, for good; whether the lease still was ours."""
    values = {"state": state.value, "at": at, "error": error, "reference": reference}
    return await _change(conn, _SETTLE, claimed, values)


async def release(
    conn: AsyncConnection, account_id: int, channel: Channel, address: str, *, at: datetime
) -> None:
    """Let go what was held for an address, as far as its time is not up; due at once."""
    values = {"account_id": account_id, "channel": channel.value, "address": address, "at": at}
    await conn.execute(_RELEASE, values)


async def expire_held(
    conn: AsyncConnection, *, at: datetime, settled_at: datetime, most: int
) -> int:
    """End what was held in vain until `at`, in wall time; returns how many."""
    values = {"at": at, "settled_at": settled_at, "most": most}
    return len((await conn.execute(_EXPIRE, values)).all())


async def _change(
    conn: AsyncConnection,
    statement: TextClause,
    claimed: ClaimedDelivery,
    values: Mapping[str, object],
) -> bool:
    lease = {"delivery_id": claimed.delivery_id, "attempts": claimed.attempts}
    return (await conn.execute(statement, {**lease, **values})).first() is not None


async def list_of(
    conn: AsyncConnection, account_id: int, *, before: UUID | None, most: int
) -> list[Delivery]:
    """Newest first, those older than `before`."""
    rows = await conn.execute(_LIST, {"account_id": account_id, "before": before, "most": most})
    return [
        Delivery(**{**r._mapping, "channel": Channel(r.channel), "state": State(r.state)})
        for r in rows
    ]
