"""Credit policies by code: written as versions, in force for every account on the code at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.documents import from_document, to_document
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.handlers.errors import CurrencyMismatch, PolicyUnknown
from npms_ledger.storage import policies, positions


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    code: str
    version: int
    currency: str
    policy: CreditPolicy
    written_by: str
    written_at: datetime
    approved_by: str | None = None

    @classmethod
    def of(cls, row: Row[Any]) -> "WrittenPolicy":
        return cls(
            code=row.code,
            version=row.version,
            currency=row.currency,
            policy=from_document(row.document),
            written_by=row.written_by,
            written_at=row.written_at,
            approved_by=row.approved_by,
        )


async def read_policy(conn: AsyncConnection, code: str, *, hold: bool = False) -> WrittenPolicy:
    """The version in force; with `hold` it stays so until the transaction ends.

    Raises PolicyUnknown.
    """
    row = await policies.current(conn, code, hold=hold)
    if row is None:
        raise PolicyUnknown(code)
    return WrittenPolicy.of(row)


async def put_in_force(
    conn: AsyncConnection,
    code: str,
    *,
    policy: CreditPolicy,
    currency: str,
    now: datetime,
    by: str,
    approved_by: str | None = None,
) -> int:
    """Put a new version in force; returns its number. Every account on the code is decided soon.

    Raises CurrencyMismatch.
    """
    row = await policies.current(conn, code)
    if row is not None and row.currency != currency:
        raise CurrencyMismatch("credit policy", row.currency, currency)
    version = await policies.add_version(
        conn,
        code=code,
        currency=currency,
        document=to_document(policy),
        written_by=by,
        written_at=now,
        approved_by=approved_by,
    )
    await positions.schedule_policy(conn, code)
    return version
