"""Held readings for people to decide of, with what stands around them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import (
    HeldDecision,
    HeldReading,
    Moment,
    Neighbours,
    State,
    estimate,
)
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.decide_held import UnknownHeld
from npms_meter_gateway.storage import held, readings

PAST_S = 7 * 86400
"""How much of the past the pace of an estimate is taken from."""


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which held readings are wanted; all, where nothing is named."""

    installation_id: int | None = None
    reason: Verdict | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class HeldCase:
    """A held reading, what was decided, the accepted readings around it (None for an installation
    nobody knows), and the register one would expect at its time.
    """

    reading: HeldReading
    history: Sequence[HeldDecision]
    near: Neighbours | None
    estimate_wh: int | None


async def list_held(
    conn: AsyncConnection, wanted: HeldFilter, *, before: int, limit: int
) -> Sequence[HeldReading]:
    """Readings that were not believed, the newest first."""
    return await held.list_held(
        conn,
        installation_id=wanted.installation_id,
        reason=wanted.reason,
        state=wanted.state,
        before=before,
        limit=limit,
    )


async def get_held(conn: AsyncConnection, held_id: int) -> HeldCase:
    """Raises UnknownHeld."""
    reading = await held.find_held(conn, held_id)
    if reading is None:
        raise UnknownHeld
    at_s = reading.at_s
    near = await _near(conn, reading.installation_id, at_s)
    past = await readings.ends_of(conn, reading.installation_id, from_s=at_s - PAST_S, to_s=at_s)
    after: Moment | None = near.after if near else None
    return HeldCase(
        reading=reading,
        history=await held.history_of(conn, held_id),
        near=near,
        estimate_wh=estimate(past, at_s=at_s, ceiling_wh=after[1] if after else None),
    )


async def _near(conn: AsyncConnection, installation_id: int, at_s: int) -> Neighbours | None:
    if not await readings.is_known(conn, installation_id):
        return None
    return await readings.neighbours(conn, installation_id, at_s)
