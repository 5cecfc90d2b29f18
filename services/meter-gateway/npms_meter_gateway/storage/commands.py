"""Every command to a meter's switch: one row, from before it leaves to what was seen of it."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.commands import EndedCommand, Evidence, SupplyCommand

_BEGIN = text(
    """
    INSERT INTO supply_command (command_id, installation_id, revision, reason, what, state,
                                limit_w, created_at, before)
    SELECT :command_id, installation_id, desired_revision, desired_reason, :what, :state, :limit_w,
           :now, CAST(:before AS jsonb)
    FROM supply WHERE installation_id = :installation_id AND desired_revision = :revision
      AND NOT EXISTS (SELECT FROM suspicion p WHERE p.installation_id = supply.installation_id)
    """
)
_ANSWERED = text(
    """
    UPDATE supply_command
    SET life = :life, answered_at = :now, answer = :answer,
        closed_at = CASE WHEN :life = 'abandoned' THEN CAST(:now AS timestamptz) END
    WHERE command_id = :command_id AND closed_at IS NULL
    """
)
_CLOSE = text(
    """
    UPDATE supply_command
    SET life = CASE WHEN revision < :revision THEN 'superseded' ELSE :life END, closed_at = :now,
        after = CAST(:after AS jsonb)
    WHERE installation_id = :installation_id AND closed_at IS NULL
    RETURNING life, what, state
    """
)
_LIST = text(
    """
    SELECT command_id, installation_id, revision, reason, what, state, limit_w, life, created_at,
           answered_at, answer, closed_at, before, after
    FROM supply_command
    WHERE installation_id = :installation_id
      AND (CAST(:before AS uuid) IS NULL OR command_id < :before)
    ORDER BY command_id DESC LIMIT :limit
    """
)


async def begin(
    conn: AsyncConnection,
    command_id: UUID,
    installation_id: int,
    *,
    revision: int,
    what: str,
    state: str,
    limit_w: int | None,
    before: Evidence,
    now: datetime,
) -> bool:
    """Write down what is about to be sent; False when a newer revision is desired by now, or
    another meter was found to answer.
    """
    found = await conn.execute(
        _BEGIN,
        {
            "command_id": command_id,
            "installation_id": installation_id,
            "revision": revision,
            "what": what,
            "state": state,
            "limit_w": limit_w,
            "before": json.dumps(before),
            "now": now,
        },
    )
    return found.rowcount == 1


async def answered(
    conn: AsyncConnection, command_id: UUID, *, life: str, answer: str, now: datetime
) -> None:
    """Note whether it was acknowledged, or by what it was not."""
    values = {"command_id": command_id, "life": life, "answer": answer, "now": now}
    await conn.execute(_ANSWERED, values)


async def close(
    conn: AsyncConnection,
    installation_id: int,
    *,
    revision: int,
    life: str,
    after: Sequence[Evidence],
    now: datetime,
) -> Sequence[EndedCommand]:
    """End what is open; commands of an older revision are superseded whatever was seen."""
    closed = await conn.execute(
        _CLOSE,
        {
            "installation_id": installation_id,
            "revision": revision,
            "life": life,
            "after": json.dumps(list(after)),
            "now": now,
        },
    )
    return [EndedCommand(*row) for row in closed]


async def page(
    conn: AsyncConnection, installation_id: int, *, before: UUID | None, limit: int
) -> Sequence[SupplyCommand]:
    """The newest first."""
    values = {"installation_id": installation_id, "before": before, "limit": limit}
    return [SupplyCommand(**row._mapping) for row in await conn.execute(_LIST, values)]
