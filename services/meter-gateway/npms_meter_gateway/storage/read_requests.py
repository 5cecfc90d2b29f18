"""Reads that people ask for, and their answers: kept no longer than an hour."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FORGET = text("DELETE FROM read_request WHERE give_up_at < now() - interval '1 hour'")
_ADD = text(
    """
    INSERT INTO read_request (request_id, installation_id, give_up_at)
    VALUES (:request_id, :installation_id, now() + make_interval(secs => :within_s))
    """
)
_ANY_WAITING = text(
    """
    SELECT EXISTS (
        SELECT FROM read_request r
        JOIN installation i USING (installation_id) JOIN gateway g USING (host, port)
        WHERE r.taken_by IS NULL AND r.give_up_at > now() AND g.holder = :worker_id
    )
    """
)
_TAKE = text(
    """
    UPDATE read_request r SET taken_by = :worker_id
    FROM installation i JOIN gateway g USING (host, port)
    WHERE i.installation_id = r.installation_id
      AND r.taken_by IS NULL AND r.give_up_at > now() AND g.holder = :worker_id
    RETURNING r.request_id, r.installation_id
    """
)
_ANSWER = text(
    "UPDATE read_request SET answer = CAST(:answer AS jsonb) WHERE request_id = :request_id"
)
_SHOW = text(
    "SELECT taken_by IS NOT NULL AS is_taken, answer FROM read_request "
    "WHERE request_id = :request_id"
)


async def add(
    conn: AsyncConnection, request_id: UUID, installation_id: int, *, within_s: float
) -> None:
    await conn.execute(_FORGET)
    values = {"request_id": request_id, "installation_id": installation_id, "within_s": within_s}
    await conn.execute(_ADD, values)


async def any_waiting(conn: AsyncConnection, worker_id: UUID) -> bool:
    """Whether somebody waits for a meter behind a gateway of this worker."""
    return bool((await conn.execute(_ANY_WAITING, {"worker_id": worker_id})).scalar_one())


async def take(conn: AsyncConnection, worker_id: UUID) -> dict[UUID, int]:
    """The installation of each request that waits for this worker; it has them now."""
    rows: list[Any] = list((await conn.execute(_TAKE, {"worker_id": worker_id})).all())
    return {row.request_id: row.installation_id for row in rows}


async def answer(conn: AsyncConnection, request_id: UUID, answer: str) -> None:
    """`answer` is a JSON text."""
    await conn.execute(_ANSWER, {"request_id": request_id, "answer": answer})


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """`answer` is None before the process that has taken it gave one."""

    is_taken: bool
    answer: dict[str, Any] | None


async def find(conn: AsyncConnection, request_id: UUID) -> ReadRequest:
    return ReadRequest(*(await conn.execute(_SHOW, {"request_id": request_id})).one())
