"""The lock by which one process at a time has our session at an MQTT broker."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK = 7_205_772

_TAKE = text("SELECT pg_try_advisory_lock(:lock)")
_PING = text("SELECT 1")


async def take(conn: AsyncConnection) -> bool:
    """Whether the lock is this session's now; it keeps it until it ends."""
    return bool((await conn.execute(_TAKE, {"lock": LOCK})).scalar_one())


async def ping(conn: AsyncConnection) -> None:
    """Raises when the session, and so its lock, is gone."""
    await conn.execute(_PING)
