"""Readings that were not believed: as they came, never changed, with what was decided of each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import HeldDecision, HeldReading
from npms_meter_gateway.domain.validation import Verdict

_ADD = text(
    """
    INSERT INTO held_reading (installation_id, taken_at, register_wh, reason, source, held_at)
    SELECT id, to_timestamp(at), CAST(register AS numeric), reason, :source, :now
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[]), CAST(:registers AS text[]),
                CAST(:reasons AS text[])) AS t (id, at, register, reason)
    ON CONFLICT DO NOTHING
    """
)
_COLUMNS = "held_id, installation_id, taken_at, register_wh, reason, source, held_at, state"
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM held_reading
    WHERE held_id < :before
      AND (CAST(:installation_id AS bigint) IS NULL OR installation_id = :installation_id)
      AND (CAST(:reason AS text) IS NULL OR reason = :reason)
      AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY held_id DESC LIMIT :limit
    """  # noqa: S608 - names of this module
)
_ONE = f"SELECT {_COLUMNS} FROM held_reading WHERE held_id = :held_id"  # noqa: S608 - names of this module
_SHOW, _LOCK = text(_ONE), text(f"{_ONE} FOR UPDATE")
_OPEN = text(
    f"""
    SELECT {_COLUMNS} FROM held_reading
    WHERE installation_id = :installation_id AND state = 'held'
      AND reason = ANY(CAST(:reasons AS text[]))
    ORDER BY taken_at, held_id FOR UPDATE
    """  # noqa: S608 - names of this module
)
_DECIDE = text(
    """
    WITH decided AS (
        INSERT INTO held_decision (held_id, decision, register_wh, by_subject, reason, decided_at)
        SELECT t.id, :decision, t.register, :by, :reason, :at
        FROM unnest(CAST(:ids AS bigint[]), CAST(:registers AS bigint[])) AS t (id, register)
        RETURNING held_id
    )
    UPDATE held_reading SET state = :decision
    FROM decided WHERE held_reading.held_id = decided.held_id
    """
)
_HISTORY = text(
    """
    SELECT decision, register_wh, by_subject, reason, decided_at FROM held_decision
    WHERE held_id = :held_id ORDER BY decision_id
    """
)
_COUNTS = text(
    "SELECT reason, count(*) AS number FROM held_reading WHERE state = 'held' GROUP BY reason"
)
_HARMLESS = text(
    """
    SELECT h.held_id FROM held_reading h
    WHERE h.state = 'held' AND h.reason = ANY(CAST(:reasons AS text[])) AND EXISTS (
        SELECT FROM reading r
        WHERE r.installation_id = h.installation_id AND r.taken_at > h.taken_at
    )
    LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_LAST = text(
    """
    SELECT CAST(extract(epoch FROM taken_at) AS bigint) AS at_s, register_wh,
           bool_or(state = 'held') OVER () AS waits
    FROM held_reading WHERE installation_id = :installation_id AND reason = :reason
    ORDER BY taken_at DESC LIMIT 1
    """
)
_FORGET = text("SELECT held_reading_forget(:before)")


async def hold_readings(
    conn: AsyncConnection,
    rejected: Sequence[tuple[int, int, int, str]],
    *,
    source: str,
    now: datetime,
) -> None:
    """Keep readings that are not believed: (installation_id, taken_at_s, register_wh, reason)."""
    ids, at_s, registers, reasons = (list(column) for column in zip(*rejected, strict=True))
    await conn.execute(
        _ADD,
        {
            "ids": ids,
            "at_s": at_s,
            "registers": [str(register) for register in registers],
            "reasons": reasons,
            "source": source,
            "now": now,
        },
    )


async def list_held(
    conn: AsyncConnection,
    *,
    installation_id: int | None,
    reason: str | None,
    state: str | None,
    before: int,
    limit: int,
) -> Sequence[HeldReading]:
    """The newest first; each filter None for all."""
    values = {
        "installation_id": installation_id,
        "reason": reason,
        "state": state,
        "before": before,
        "limit": limit,
    }
    return [_held(row) for row in await conn.execute(_LIST, values)]


async def find_held(
    conn: AsyncConnection, held_id: int, *, lock: bool = False
) -> HeldReading | None:
    found = await conn.execute(_LOCK if lock else _SHOW, {"held_id": held_id})
    row = found.one_or_none()
    return None if row is None else _held(row)


def _held(row: Row[Any]) -> HeldReading:
    return HeldReading(**{**row._mapping, "reason": Verdict(row.reason)})


async def open_of(
    conn: AsyncConnection, installation_id: int, *, reasons: Iterable[str]
) -> Sequence[HeldReading]:
    """Those of an installation that wait for a decision, in the order of their time; locked."""
    values = {"installation_id": installation_id, "reasons": list(reasons)}
    return [_held(row) for row in await conn.execute(_OPEN, values)]


async def decide(
    conn: AsyncConnection,
    decided: Sequence[tuple[int, int | None]],
    *,
    decision: str,
    by: str | None,
    reason: str,
    at: datetime,
) -> None:
    """Note what became of (held_id, validated register in Wh); the register where it has one."""
    if decided:
        await conn.execute(
            _DECIDE,
            {
                "ids": [held_id for held_id, _ in decided],
                "registers": [register_wh for _, register_wh in decided],
                "decision": decision,
                "by": by,
                "reason": reason,
                "at": at,
            },
        )


async def last_settled(
    conn: AsyncConnection, installation_id: int, *, reason: str
) -> tuple[int, int] | None:
    """(taken_at_s, register_wh) of the last one held for the reason; None while one of them
    waits."""
    values = {"installation_id": installation_id, "reason": reason}
    row = (await conn.execute(_LAST, values)).one_or_none()
    return None if row is None or row.waits else (row.at_s, int(row.register_wh))


async def history_of(conn: AsyncConnection, held_id: int) -> Sequence[HeldDecision]:
    """What was decided of it, the oldest first."""
    rows = await conn.execute(_HISTORY, {"held_id": held_id})
    return [HeldDecision(**row._mapping) for row in rows]


async def count_open(conn: AsyncConnection) -> dict[str, int]:
    """How many wait for a decision, by reason."""
    return {row.reason: row.number for row in await conn.execute(_COUNTS)}


async def find_harmless(conn: AsyncConnection, *, reasons: Iterable[str], limit: int) -> list[int]:
    """Held readings for one of the reasons after which another was accepted; locked."""
    found = await conn.execute(_HARMLESS, {"reasons": list(reasons), "limit": limit})
    return list(found.scalars())


async def forget(conn: AsyncConnection, *, before: datetime) -> int:
    """Drop what was rejected or superseded before; returns how many."""
    return int((await conn.execute(_FORGET, {"before": before})).scalar_one())
