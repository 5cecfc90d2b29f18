"""Held readings for people to decide of, with what stands around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Moment, Neighbours, estimate
from npms_meter_gateway.storage import held, readings

PAST_S = 7 * 86400
"""How much of the past the pace of an estimate is taken from."""


@dataclass(frozen=True, slots=True)
class Held:
    """One of them: as it came, what was decided, the accepted readings around it (None for an
    installation nobody knows), and the register one would expect at its time.
    """

    row: Row[Any]
    history: Sequence[Row[Any]]
    near: Neighbours | None
    estimate_wh: int | None


async def list_held(
    conn: AsyncConnection,
    *,
    installation_id: int | None,
    reason: str | None,
    state: str | None,
    before: int,
    limit: int,
) -> Sequence[Row[Any]]:
    """Readings that were not believed, the newest first."""
    return await held.list_held(
        conn,
        installation_id=installation_id,
        reason=reason,
        state=state,
        before=before,
        limit=limit,
    )


async def show_held(conn: AsyncConnection, held_id: int) -> Held | None:
    """None where there is no such reading."""
    row = await held.find_held(conn, held_id)
    if row is None:
        return None
    at_s = int(row.taken_at.timestamp())
    near = await _near(conn, row.installation_id, at_s)
    past = await readings.ends_of(conn, row.installation_id, from_s=at_s - PAST_S, to_s=at_s)
    after: Moment | None = near.after if near else None
    return Held(
        row=row,
        history=await held.history_of(conn, held_id),
        near=near,
        estimate_wh=estimate(past, at_s=at_s, ceiling_wh=after[1] if after else None),
    )


async def _near(conn: AsyncConnection, installation_id: int, at_s: int) -> Neighbours | None:
    if not await readings.is_known(conn, installation_id):
        return None
    return await readings.neighbours(conn, installation_id, at_s)
