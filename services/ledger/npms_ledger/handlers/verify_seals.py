"""Whether the journal is as it was sealed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.storage import seals


async def broken_seals(conn: AsyncConnection) -> Sequence[Row[Any]]:
    """(journal_id, says) of every journal that was changed, added or removed, and of every seal.

    Reads every posting; what is written meanwhile is not seen.
    """
    return await seals.broken(conn)


async def chain_heads(conn: AsyncConnection) -> Sequence[Row[Any]]:
    """(chain, seq, hash) of every chain: kept elsewhere, they prove that no end was cut off."""
    return await seals.heads(conn)
