"""Corrections, what each has done, and the past that they are worked out from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import Correction, CorrectionItem
from npms_tariff.domain.state import ClosedScope

_CORRECTION = """
    SELECT correction_id, kind, plan_version_id, installation_id, request, reason, state,
           requested_by, requested_at, decided_by, decided_at, reached_id, corrected, refused,
           finished_at
    FROM correction
"""
_AFFECTED = text(
    """
    SELECT s.installation_id FROM rating_state s JOIN installation i USING (installation_id)
    JOIN plan_version v ON v.plan_code = i.plan_code
    WHERE v.plan_version_id = :plan_version_id AND s.installation_id > :after
      AND s.read_at_s > extract(epoch FROM v.valid_from)
    ORDER BY s.installation_id LIMIT :limit
    """
)
_PAST = text(
    """
    SELECT CAST(extract(epoch FROM i.opened_at) AS bigint) AS opened_s, i.opening_register_wh,
           i.replaces_installation_id, i.closed_at IS NOT NULL AS closed,
           (SELECT hours_from_s FROM usage_kept) AS hours_from_s
    FROM installation i WHERE i.installation_id = :id
    """
)
_HOURS = text(
    """
    SELECT hour_s, energy_wh, amount_micro FROM usage_hour
    WHERE installation_id = :id AND hour_s >= :from_s
    """
)
_SCOPES = text(
    """
    SELECT installation_id, plan_version_id, month, slots, days, used_days, demand, cost_micro
    FROM rating_scope WHERE installation_id = :id AND month >= :from_month
    ORDER BY month, plan_version_id
    """
)
_DROP_SCOPES = text("DELETE FROM rating_scope WHERE installation_id = :id AND month >= :from_month")
_ADD_ITEM = text(
    """
    INSERT INTO correction_item (correction_id, installation_id, account_id, currency,
        amount_micro, months, before, refusal, corrected_at)
    VALUES (:correction_id, :installation_id, :account_id, :currency,
        :amount_micro, CAST(:months AS jsonb), CAST(:before AS jsonb), :refusal, :corrected_at)
    """
)


@dataclass(frozen=True, slots=True)
class Past:
    """Where an installation began; `hours_from_s` is since when hours are kept."""

    opened_s: int
    opening_register_wh: int
    replaces_installation_id: int | None
    closed: bool
    hours_from_s: int


_ADD_CORRECTION = text(
    """
    INSERT INTO correction (correction_id, kind, plan_version_id, installation_id, request,
        reason, state, requested_by, requested_at)
    VALUES (:correction_id, :kind, :plan_version_id, :installation_id,
        CAST(:request AS jsonb), :reason, :state, :requested_by, :requested_at)
    """
)
_FIND_CORRECTION = text(f"{_CORRECTION} WHERE correction_id = :id")
_LOCK_CORRECTION = text(f"{_CORRECTION} WHERE correction_id = :id FOR UPDATE")
_LIST_CORRECTIONS = text(
    f"""{_CORRECTION}
    WHERE (CAST(:before AS uuid) IS NULL OR correction_id < :before)
    ORDER BY correction_id DESC LIMIT :limit
    """
)
_DECIDE = text(
    """
    UPDATE correction SET state = :state, decided_at = :at, decided_by = :by
    WHERE correction_id = :id
    """
)
_TAKE_APPROVED = text(
    f"""{_CORRECTION} WHERE state = 'approved'
    ORDER BY decided_at LIMIT 1 FOR UPDATE SKIP LOCKED
    """
)
_NOTE_PROGRESS = text(
    """
    UPDATE correction SET reached_id = :reached_id, corrected = corrected + :corrected,
        refused = refused + :refused
    WHERE correction_id = :id
    """
)
_FINISH = text("UPDATE correction SET state = 'done', finished_at = :at WHERE correction_id = :id")
_LOCK_STATE = text("SELECT 1 FROM rating_state WHERE installation_id = :id FOR UPDATE")
_LIST_ITEMS = text(
    """
    SELECT correction_id, installation_id, account_id, currency, amount_micro, months,
           before, refusal, corrected_at
    FROM correction_item WHERE correction_id = :id AND installation_id > :after
    ORDER BY installation_id LIMIT :limit
    """
)
_AMOUNTS = text(
    """
    SELECT correction_id, currency, CAST(sum(amount_micro) AS bigint) FROM correction_item
    WHERE correction_id = ANY(CAST(:ids AS uuid[])) GROUP BY 1, 2
    """
)


def _correction(row: Row[Any]) -> Correction:
    return Correction(**row._mapping)


async def add_correction(conn: AsyncConnection, correction: Correction) -> None:
    await conn.execute(
        _ADD_CORRECTION,
        {
            "correction_id": correction.correction_id,
            "kind": correction.kind,
            "plan_version_id": correction.plan_version_id,
            "installation_id": correction.installation_id,
            "request": json.dumps(correction.request),
            "reason": correction.reason,
            "state": correction.state,
            "requested_by": correction.requested_by,
            "requested_at": correction.requested_at,
        },
    )


async def find_correction(
    conn: AsyncConnection, correction_id: UUID, *, lock: bool = False
) -> Correction | None:
    query = _LOCK_CORRECTION if lock else _FIND_CORRECTION
    found = await conn.execute(query, {"id": correction_id})
    row = found.one_or_none()
    return _correction(row) if row else None


async def list_corrections(
    conn: AsyncConnection, *, before: UUID | None, limit: int
) -> list[Correction]:
    """The newest first: their ids rise with time."""
    rows = await conn.execute(_LIST_CORRECTIONS, {"before": before, "limit": limit})
    return [_correction(row) for row in rows]


async def decide(
    conn: AsyncConnection, correction_id: UUID, *, state: str, at: datetime, by: str
) -> None:
    await conn.execute(_DECIDE, {"id": correction_id, "state": state, "at": at, "by": by})


async def take_approved(conn: AsyncConnection) -> Correction | None:
    """The one that waits longest, locked; None where there is none, or others have them."""
    found = await conn.execute(_TAKE_APPROVED)
    row = found.one_or_none()
    return _correction(row) if row else None


async def note_progress(
    conn: AsyncConnection, correction_id: UUID, *, reached_id: int, corrected: int, refused: int
) -> None:
    await conn.execute(
        _NOTE_PROGRESS,
        {
            "id": correction_id,
            "reached_id": reached_id,
            "corrected": corrected,
            "refused": refused,
        },
    )


async def finish(conn: AsyncConnection, correction_id: UUID, *, at: datetime) -> None:
    await conn.execute(_FINISH, {"id": correction_id, "at": at})


async def affected(
    conn: AsyncConnection, plan_version_id: int, *, after: int, limit: int
) -> list[int]:
    """Installations on the version's plan, rated beyond its begin, with ids above `after`."""
    rows = await conn.execute(
        _AFFECTED, {"plan_version_id": plan_version_id, "after": after, "limit": limit}
    )
    return list(rows.scalars())


async def lock_state(conn: AsyncConnection, installation_id: int) -> None:
    await conn.execute(_LOCK_STATE, {"id": installation_id})


async def past_of(conn: AsyncConnection, installation_id: int) -> Past | None:
    row = (await conn.execute(_PAST, {"id": installation_id})).one_or_none()
    return Past(*row) if row else None


async def hours_from(
    conn: AsyncConnection, installation_id: int, from_s: int
) -> dict[int, tuple[int, int]]:
    """(energy, amount) of closed hours by their first second."""
    rows = await conn.execute(_HOURS, {"id": installation_id, "from_s": from_s})
    return {hour_s: (energy_wh, amount_micro) for hour_s, energy_wh, amount_micro in rows}


async def scopes_from(
    conn: AsyncConnection, installation_id: int, from_month: int
) -> list[ClosedScope]:
    rows = await conn.execute(_SCOPES, {"id": installation_id, "from_month": from_month})
    return [(*row,) for row in rows]


async def drop_scopes(conn: AsyncConnection, installation_id: int, from_month: int) -> None:
    await conn.execute(_DROP_SCOPES, {"id": installation_id, "from_month": from_month})


async def add_item(conn: AsyncConnection, item: CorrectionItem) -> None:
    values = {name: getattr(item, name) for name in CorrectionItem.__slots__}
    as_json = {name: json.dumps(values[name]) for name in ("months", "before")}
    await conn.execute(_ADD_ITEM, values | as_json)


async def list_items(
    conn: AsyncConnection, correction_id: UUID, *, after: int, limit: int
) -> list[CorrectionItem]:
    """In the order of installations."""
    rows = await conn.execute(_LIST_ITEMS, {"id": correction_id, "after": after, "limit": limit})
    return [CorrectionItem(*row) for row in rows]


async def amounts(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """What corrections have posted so far, by currency."""
    sums: dict[UUID, dict[str, int]] = {correction_id: {} for correction_id in ids}
    rows = await conn.execute(_AMOUNTS, {"ids": list(ids)})
    for correction_id, currency, amount_micro in rows:
        sums[correction_id][currency] = amount_micro
    return sums
