"""Accounts that were taken over, each reference once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_CLAIM = text(
    """
    INSERT INTO imported_account (external_reference, fingerprint, imported_by, imported_at)
    VALUES (:reference, :fingerprint, :by, :now)
    ON CONFLICT DO NOTHING RETURNING external_reference
    """
)
_FINGERPRINTS = text(
    """
    SELECT external_reference, fingerprint FROM imported_account
    WHERE external_reference = ANY(CAST(:references AS text[]))
    """
)
_NOTE = text(
    """
    UPDATE imported_account SET account_id = :account_id WHERE external_reference = :reference
    """
)


async def fingerprints(conn: AsyncConnection, references: Sequence[str]) -> dict[str, str]:
    """By reference, of those that were imported."""
    rows = await conn.execute(_FINGERPRINTS, {"references": list(references)})
    return {row.external_reference: row.fingerprint for row in rows}


async def claim(
    conn: AsyncConnection, reference: str, *, fingerprint: str, by: str, now: datetime
) -> bool:
    """Whether nobody had it before."""
    claimed = await conn.execute(
        _CLAIM, {"reference": reference, "fingerprint": fingerprint, "by": by, "now": now}
    )
    return claimed.first() is not None


async def note_account(conn: AsyncConnection, reference: str, account_id: int) -> None:
    await conn.execute(_NOTE, {"reference": reference, "account_id": account_id})
