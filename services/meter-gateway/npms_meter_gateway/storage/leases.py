"""Which workers live, and which gateways each of them holds.

A worker's row is its lease: it ends at `expires_at` by the database's clock unless renewed. A row
that was removed never comes back, so a worker that lapsed has to begin anew under another id.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_JOIN = text(
    """
    INSERT INTO worker (worker_id, name, expires_at)
    VALUES (:worker_id, :name, clock_timestamp() + make_interval(secs => :ttl_s))
    """
)
_RENEW = text(
    """
    UPDATE worker SET expires_at = clock_timestamp() + make_interval(secs => :ttl_s)
    WHERE worker_id = :worker_id AND expires_at > clock_timestamp()
    """
)
_LEAVE = text("DELETE FROM worker WHERE worker_id = :worker_id")
# One that is inside a transaction holds its row, and is taken leave of when that has ended.
_BURY = text(
    """
    DELETE FROM worker WHERE worker_id IN (
        SELECT worker_id FROM worker WHERE expires_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
    )
    """
)
_LIVING = text("SELECT worker_id FROM worker ORDER BY worker_id")
_POLLED = """
    FROM gateway g
    WHERE EXISTS (
        SELECT FROM installation i
        WHERE i.host = g.host AND i.port = g.port AND i.closed_at IS NULL AND i.port > 0
    )
"""
_GATEWAYS = text(f"SELECT g.gateway_id, g.holder {_POLLED}")
_FINGERPRINT = text(
    f"""
    SELECT count(*) AS gateways, COALESCE(bit_xor(uuid_hash_extended(
        COALESCE(g.holder, '00000000-0000-0000-0000-000000000000'), g.gateway_id
    )), 0) AS holders
    {_POLLED}
    """
)
_CLAIM = text(
    """
    UPDATE gateway SET holder = :worker_id
    WHERE gateway_id = ANY(CAST(:gateway_ids AS bigint[])) AND holder IS NULL
    """
)
_RELEASE = text(
    """
    UPDATE gateway SET holder = NULL
    WHERE gateway_id = ANY(CAST(:gateway_ids AS bigint[])) AND holder = :worker_id
    """
)
_PROVE = text("SELECT 1 FROM worker WHERE worker_id = :worker_id FOR KEY SHARE")


async def join(conn: AsyncConnection, worker_id: UUID, *, name: str, ttl_s: float) -> None:
    await conn.execute(_JOIN, {"worker_id": worker_id, "name": name, "ttl_s": ttl_s})


async def renew(conn: AsyncConnection, worker_id: UUID, *, ttl_s: float) -> bool:
    """False when the lease had run out: it is not to be had again."""
    found = await conn.execute(_RENEW, {"worker_id": worker_id, "ttl_s": ttl_s})
    return found.rowcount == 1


async def leave(conn: AsyncConnection, worker_id: UUID) -> None:
    """Give up the lease, and with it every gateway held."""
    await conn.execute(_LEAVE, {"worker_id": worker_id})


async def bury(conn: AsyncConnection) -> int:
    """Remove the workers whose lease ran out; their gateways are nobody's then."""
    return (await conn.execute(_BURY)).rowcount


async def living(conn: AsyncConnection) -> list[UUID]:
    return list((await conn.execute(_LIVING)).scalars())


async def gateways(conn: AsyncConnection) -> dict[int, UUID | None]:
    """The holder of each gateway that has something to poll."""
    rows: list[Any] = list((await conn.execute(_GATEWAYS)).all())
    return {row.gateway_id: row.holder for row in rows}


async def fingerprint(conn: AsyncConnection) -> tuple[int, int]:
    """What differs whenever `gateways` does: read every second, where those may be ten thousand."""
    row: Any = (await conn.execute(_FINGERPRINT)).one()
    return row.gateways, row.holders


async def claim(conn: AsyncConnection, worker_id: UUID, gateway_ids: Collection[int]) -> None:
    """Hold those of them that nobody holds."""
    await conn.execute(_CLAIM, {"worker_id": worker_id, "gateway_ids": list(gateway_ids)})


async def release(conn: AsyncConnection, worker_id: UUID, gateway_ids: Collection[int]) -> None:
    await conn.execute(_RELEASE, {"worker_id": worker_id, "gateway_ids": list(gateway_ids)})


async def prove(conn: AsyncConnection, worker_id: UUID) -> bool:
    """Whether the worker's lease was not given up, and will not be before the transaction ends."""
    return (await conn.execute(_PROVE, {"worker_id": worker_id})).scalar_one_or_none() is not None
