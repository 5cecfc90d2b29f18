"""Codes that were sent to addresses. They outlive the contact, so that taking an address away and
adding it again wins no further codes.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.codes import MOST_ATTEMPTS, MadeCode, OpenCode
from npms_notifier.domain.contacts import Channel, Contact

_FORGET = text("DELETE FROM contact_code WHERE account_id = :account_id AND made_at < :before")
_MADE = text(
    """
    SELECT channel, address, made_at FROM contact_code
    WHERE account_id = :account_id AND made_at > :since
    """
)
_ADD = text(
    """
    INSERT INTO contact_code (code_id, account_id, channel, address, made_at)
    VALUES (:code_id, :account_id, :channel, :address, :made_at)
    """
)
_END = text(
    """
    UPDATE contact_code SET ended_at = :at, digest = NULL
    WHERE account_id = :account_id AND ended_at IS NULL
      AND (channel, address) IN (
          SELECT * FROM unnest(CAST(:channels AS text[]), CAST(:addresses AS text[]))
      )
    """
)
_OPEN = text(
    """
    SELECT code_id, channel, address, digest, expires_at, attempts FROM contact_code
    WHERE account_id = :account_id AND channel = :channel AND ended_at IS NULL
    """
)
_ARM = text(
    """
    UPDATE contact_code SET digest = :digest, expires_at = :expires_at
    WHERE code_id = :code_id AND ended_at IS NULL AND attempts < :most
    RETURNING code_id
    """
)
_COUNT = text(
    "UPDATE contact_code SET attempts = attempts + 1 WHERE code_id = ANY(CAST(:ids AS uuid[]))"
)


async def forget(conn: AsyncConnection, account_id: int, *, before: datetime) -> None:
    """Those too old to be entered or counted."""
    await conn.execute(_FORGET, {"account_id": account_id, "before": before})


async def made_since(conn: AsyncConnection, account_id: int, since: datetime) -> list[MadeCode]:
    rows = await conn.execute(_MADE, {"account_id": account_id, "since": since})
    return [MadeCode(Channel(row.channel), row.address, row.made_at) for row in rows]


async def add(
    conn: AsyncConnection, code_id: UUID, account_id: int, contact: Contact, *, made_at: datetime
) -> None:
    """A code that is to be sent; the one before it is to be ended first."""
    values = {
        "code_id": code_id,
        "account_id": account_id,
        "channel": contact.channel.value,
        "address": contact.address,
        "made_at": made_at,
    }
    await conn.execute(_ADD, values)


async def end(
    conn: AsyncConnection, account_id: int, contacts: Sequence[Contact], *, at: datetime
) -> None:
    """Used, replaced, or of an address that was taken away: what is kept of them is wiped."""
    values = {
        "account_id": account_id,
        "channels": [c.channel.value for c in contacts],
        "addresses": [c.address for c in contacts],
        "at": at,
    }
    await conn.execute(_END, values)


async def open_of(conn: AsyncConnection, account_id: int, channel: Channel) -> list[OpenCode]:
    """The last code of each address that is not verified yet, alive or not."""
    rows = await conn.execute(_OPEN, {"account_id": account_id, "channel": channel.value})
    return [OpenCode(**{**row._mapping, "channel": Channel(row.channel)}) for row in rows]


async def arm(conn: AsyncConnection, code_id: UUID, *, digest: bytes, expires_at: datetime) -> bool:
    """Let what is about to be sent be entered; whether it still is wanted."""
    values = {"code_id": code_id, "digest": digest, "expires_at": expires_at, "most": MOST_ATTEMPTS}
    return (await conn.execute(_ARM, values)).first() is not None


async def count_attempt(conn: AsyncConnection, code_ids: Sequence[UUID]) -> None:
    await conn.execute(_COUNT, {"ids": list(code_ids)})
