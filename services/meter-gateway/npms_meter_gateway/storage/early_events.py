"""Openings and closings that came before what they follow: kept until that is heard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK = 7_205_773

Kind = Literal["opened", "closed"]

_TURN = text("SELECT pg_advisory_xact_lock(:lock)")
_KEEP = text(
    """
    INSERT INTO early_event (installation_id, kind, port, unit_id, event, heard_at)
    VALUES (:installation_id, :kind, :port, :unit_id, CAST(:event AS jsonb), :now)
    ON CONFLICT (installation_id, kind) DO NOTHING
    """
)
_TAKE = text(
    """
    DELETE FROM early_event WHERE installation_id = :installation_id AND kind = :kind
    RETURNING CAST(event AS text) AS event
    """
)
_OPENINGS_OF = text(
    """
    SELECT e.installation_id, CAST(e.event AS text) AS event
    FROM early_event e JOIN installation i USING (port, unit_id)
    WHERE e.kind = 'opened' AND i.installation_id = :closed
    ORDER BY e.installation_id
    """
)
_COUNT = text("SELECT kind, count(*) AS n FROM early_event GROUP BY kind")


async def take_turn(conn: AsyncConnection) -> None:
    """Nobody else opens or closes until the transaction ends: two that follow each other must not
    both miss the other.
    """
    await conn.execute(_TURN, {"lock": LOCK})


async def keep(
    conn: AsyncConnection,
    installation_id: int,
    kind: Kind,
    event: str,
    *,
    now: datetime,
    place: tuple[int, int] | None = None,
) -> None:
    """The event as JSON; `place` is port and unit of an opening."""
    port, unit_id = place or (None, None)
    values = {
        "installation_id": installation_id,
        "kind": kind,
        "port": port,
        "unit_id": unit_id,
        "event": event,
        "now": now,
    }
    await conn.execute(_KEEP, values)


async def take(conn: AsyncConnection, installation_id: int, kind: Kind) -> str | None:
    """The event that was kept, which is not kept any more."""
    values = {"installation_id": installation_id, "kind": kind}
    return (await conn.execute(_TAKE, values)).scalar_one_or_none()


async def openings_after(conn: AsyncConnection, closed: int) -> Sequence[tuple[int, str]]:
    """(installation_id, event) of those that may have waited for this installation's closing."""
    rows = await conn.execute(_OPENINGS_OF, {"closed": closed})
    return [(row.installation_id, row.event) for row in rows]


async def count(conn: AsyncConnection) -> dict[str, int]:
    """How many are kept, by kind."""
    return {row.kind: row.n for row in await conn.execute(_COUNT)}
