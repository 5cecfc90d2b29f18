"""Credit policies by code: written as versions, in force for every account on the code at once."""

from dataclasses import dataclass
from datetime import datetime

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


async def read_policy(conn: AsyncConnection, code: str, *, hold: bool = False) -> WrittenPolicy:
    """The version in force; with `hold` it stays so until the transaction ends.

    Raises PolicyUnknown.
    """
    row = await policies.current(conn, code, hold=hold)
    if row is None:
        raise PolicyUnknown(code)
    return WrittenPolicy(
        code=row.code,
        version=row.version,
        currency=row.currency,
        policy=from_document(row.document),
        written_by=row.written_by,
        written_at=row.written_at,
    )


async def write_policy(
    conn: AsyncConnection,
    code: str,
    *,
    policy: CreditPolicy,
    currency: str,
    now: datetime,
    by: str,
) -> WrittenPolicy:
    """Put a new version in force; writing what is in force changes nothing.

    Every account on the code is decided again soon. Raises CurrencyMismatch.
    """
    row = await policies.current(conn, code)
    if row is not None and row.currency != currency:
        raise CurrencyMismatch("credit policy", row.currency, currency)
    if row is None or from_document(row.document) != policy:
        await policies.add_version(
            conn,
            code=code,
            currency=currency,
            document=to_document(policy),
            written_by=by,
            written_at=now,
        )
        await positions.schedule_policy(conn, code)
    return await read_policy(conn, code)
