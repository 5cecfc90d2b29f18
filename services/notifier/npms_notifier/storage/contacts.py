"""Where the people of accounts are reached."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Channel, Contact

_LIST = text(
    """
    SELECT channel, address, fault, verified_at FROM contact
    WHERE account_id = :account_id ORDER BY position
    """
)
_FORGET = text("DELETE FROM contact WHERE account_id = :account_id")
_ADD = text(
    """
    INSERT INTO contact (account_id, channel, address, fault, verified_at, position)
    SELECT :account_id, channel, address, fault, verified_at, position
    FROM unnest(CAST(:channels AS text[]), CAST(:addresses AS text[]), CAST(:faults AS text[]),
                CAST(:verified_at AS timestamptz[]))
         WITH ORDINALITY AS wanted (channel, address, fault, verified_at, position)
    """
)
_VERIFY = text(
    """
    UPDATE contact SET verified_at = :at
    WHERE account_id = :account_id AND channel = :channel AND address = :address
    """
)


async def list_of(conn: AsyncConnection, account_id: int) -> list[Contact]:
    """In their order."""
    rows = await conn.execute(_LIST, {"account_id": account_id})
    return [Contact(Channel(r.channel), r.address, r.fault, r.verified_at) for r in rows]


async def replace(conn: AsyncConnection, account_id: int, contacts: Sequence[Contact]) -> None:
    await conn.execute(_FORGET, {"account_id": account_id})
    await conn.execute(
        _ADD,
        {
            "account_id": account_id,
            "channels": [c.channel.value for c in contacts],
            "addresses": [c.address for c in contacts],
            "faults": [c.fault for c in contacts],
            "verified_at": [c.verified_at for c in contacts],
        },
    )


async def verify(
    conn: AsyncConnection, account_id: int, channel: Channel, address: str, *, at: datetime
) -> None:
    values = {"account_id": account_id, "channel": channel.value, "address": address, "at": at}
    await conn.execute(_VERIFY, values)
