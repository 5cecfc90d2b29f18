"""What people do with cuts that the guardrail held: look, approve, reject."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.guardrail import Guardrail
from npms_ledger.handlers.errors import MassCutDecided, MassCutUnknown
from npms_ledger.storage import held_cuts, positions
from npms_shared.approval import Approval


async def list_mass_cuts(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> Sequence[Row[Any]]:
    return await held_cuts.page(conn, before=before, limit=limit, state=state)


async def show_mass_cut(conn: AsyncConnection, mass_cut_id: UUID) -> Row[Any]:
    """Raises MassCutUnknown."""
    row = await held_cuts.one(conn, mass_cut_id)
    if row is None:
        raise MassCutUnknown(mass_cut_id)
    return row


def reviewed_of(row: Row[Any]) -> dict[str, Any]:
    """What an approval is of: who joined the list, by which policy. Who left may do so unseen."""
    names = ("mass_cut_id", "policy_code", "ground", "state", "opened_at", "held", "last_held_at")
    return {name: row._mapping[name] for name in names}


async def list_held(
    conn: AsyncConnection, mass_cut_id: UUID, *, after: int, limit: int, on_list: bool
) -> Sequence[Row[Any]]:
    return await held_cuts.accounts(conn, mass_cut_id, after=after, limit=limit, on_list=on_list)


async def approve(
    conn: AsyncConnection,
    mass_cut_id: UUID,
    *,
    guardrail: Guardrail,
    reason: str,
    now: datetime,
    by: str,
    seen: str,
) -> Row[Any]:
    """Let every account of the list be decided again, the guardrail not standing in the way.

    Whoever wrote or approved the policy that caused it does not approve it. Raises
    MassCutUnknown, MassCutDecided, SecondPersonRequired, ReviewedChanged.
    """
    row = await _waiting(conn, mass_cut_id)
    hands = await held_cuts.changers(conn, mass_cut_id, row.opened_at - guardrail.window)
    reviewed = reviewed_of(await show_mass_cut(conn, mass_cut_id))
    Approval(by, seen).check(hands=hands, reviewed=reviewed)
    await held_cuts.decide(conn, mass_cut_id, state="approved", by=by, reason=reason, now=now)
    return await _decide_again(conn, mass_cut_id)


async def reject(
    conn: AsyncConnection,
    mass_cut_id: UUID,
    *,
    guardrail: Guardrail,
    reason: str,
    now: datetime,
    by: str,
) -> Row[Any]:
    """Keep every account of the list on for the guardrail's time; then each is decided afresh.

    Raises MassCutUnknown, MassCutDecided.
    """
    await _waiting(conn, mass_cut_id)
    await held_cuts.decide(
        conn,
        mass_cut_id,
        state="rejected",
        by=by,
        reason=reason,
        now=now,
        held_until=now + guardrail.rejected_for,
    )
    return await _decide_again(conn, mass_cut_id)


async def _waiting(conn: AsyncConnection, mass_cut_id: UUID) -> Row[Any]:
    row = await held_cuts.for_decision(conn, mass_cut_id)
    if row is None:
        raise MassCutUnknown(mass_cut_id)
    if row.state != "waiting":
        raise MassCutDecided(mass_cut_id, row.state)
    return row


async def _decide_again(conn: AsyncConnection, mass_cut_id: UUID) -> Row[Any]:
    await positions.schedule_now(conn, await held_cuts.on_list(conn, mass_cut_id))
    return await show_mass_cut(conn, mass_cut_id)
