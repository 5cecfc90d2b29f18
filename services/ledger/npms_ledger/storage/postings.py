"""The journal: added to, never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.seal import CHARGE_COLUMNS
from npms_shared.db.arrays import array, arrays

_JOURNAL = text(
    """
    INSERT INTO journal (journal_id, kind, posted_at, payment_id)
    VALUES (:journal_id, :kind, :posted_at, :payment_id)
    """
)
_SYSTEM = text(
    """
    INSERT INTO system_posting (journal_id, ledger_account, currency, amount_micro)
    SELECT :journal_id, s.* FROM unnest(
        CAST(:ledger_accounts AS text[]), CAST(:currencies AS text[]),
        CAST(:amounts_micro AS bigint[])) AS s
    """
)
_NAMES = ", ".join(CHARGE_COLUMNS)
_CHARGES = text(
    f"""
    INSERT INTO posting (account_id, seq, journal_id, amount_micro, after_micro, bucket, kind,
                         installation_id, from_register_wh, to_register_wh, from_at, to_at,
                         energy_wh, plan_version_id, tax_micro, lines)
    SELECT c.account_id, c.seq, :journal_id, -c.amount_micro, c.after_micro, 'balance', 'charge',
           c.installation_id, c.from_register_wh, c.to_register_wh, to_timestamp(c.from_s),
           to_timestamp(c.to_s), c.energy_wh, c.plan_version_id, c.tax_micro, c.lines
    FROM unnest({arrays(*CHARGE_COLUMNS)}, CAST(:lines AS text[])) AS c ({_NAMES}, lines)
    """  # noqa: S608 - names of this module
)
CHARGED_BY = ("installation_id", "from_register_wh", "to_register_wh", "from_s", "to_s")
# Of the postings of energy only the one that begins last below a charge's end can overlap it.
_CHARGED_BEFORE = text(
    f"""
    SELECT c.place FROM unnest({arrays(*CHARGED_BY)}) WITH ORDINALITY
        AS c ({", ".join(CHARGED_BY)}, place)
    WHERE c.from_register_wh = c.to_register_wh AND EXISTS (
        SELECT FROM posting p WHERE p.installation_id = c.installation_id AND p.energy_wh = 0
           AND (p.from_at, p.to_at) = (to_timestamp(c.from_s), to_timestamp(c.to_s)))
    OR c.from_register_wh < (
        SELECT p.to_register_wh FROM posting p
        WHERE p.installation_id = c.installation_id AND p.energy_wh <> 0
          AND p.from_register_wh < c.to_register_wh
        ORDER BY p.from_register_wh DESC LIMIT 1)
    """  # noqa: S608 - names of this module
)
_ENTRIES = text(
    """
    INSERT INTO posting (account_id, seq, journal_id, bucket, kind, amount_micro, after_micro,
                         item_no, label, tax_micro)
    SELECT e.account_id, e.seq, :journal_id, e.bucket, e.kind, e.amount_micro, e.after_micro,
           e.item_no, nullif(e.label, ''), nullif(e.tax_micro, 0)
    FROM unnest(
        CAST(:account_ids AS bigint[]), CAST(:seqs AS bigint[]), CAST(:buckets AS bucket[]),
        CAST(:kinds AS posting_kind[]), CAST(:amounts_micro AS bigint[]),
        CAST(:afters_micro AS bigint[]), CAST(:items AS int[]), CAST(:labels AS text[]),
        CAST(:taxes_micro AS bigint[])
    ) AS e (account_id, seq, bucket, kind, amount_micro, after_micro, item_no, label, tax_micro)
    """
)

EntryRow = tuple[int, int, str, str, int, int, int | None, str, int]
"""(account_id, seq, bucket, kind, amount_micro, after_micro, item_no, label, tax_micro)"""
SystemRow = tuple[str, str, int]
"""(ledger_account, currency, amount_micro)"""


async def insert_journal(
    conn: AsyncConnection,
    *,
    journal_id: UUID,
    kind: str,
    posted_at: datetime,
    payment_id: UUID | None = None,
) -> None:
    await conn.execute(
        _JOURNAL,
        {
            "journal_id": journal_id,
            "kind": kind,
            "posted_at": posted_at,
            "payment_id": payment_id,
        },
    )


async def insert_system(conn: AsyncConnection, journal_id: UUID, rows: Sequence[SystemRow]) -> None:
    """The system's side of a journal, one row per account and currency."""
    if not rows:
        return
    accounts, currencies, amounts = map(list, zip(*rows, strict=True))
    await conn.execute(
        _SYSTEM,
        {
            "journal_id": journal_id,
            "ledger_accounts": accounts,
            "currencies": currencies,
            "amounts_micro": amounts,
        },
    )


def charge_texts(charges: Mapping[str, list[Any]]) -> dict[str, str]:
    """What `insert_charges` and a seal take, of columns of equal length: those of ChargesBatch,
    and `seq`, `after_micro`.
    """
    return {name: array(charges[name]) for name in CHARGE_COLUMNS}


async def insert_charges(
    conn: AsyncConnection, journal_id: UUID, charges: Mapping[str, str], *, lines: Sequence[str]
) -> None:
    """Charges as `charge_texts`, and the lines of each as JSON."""
    await conn.execute(_CHARGES, {"journal_id": journal_id, "lines": lines, **charges})


async def charged_before(conn: AsyncConnection, charges: Mapping[str, list[Any]]) -> set[int]:
    """Places, from 0, of the charges whose registers a posting covers already, in whole or part."""
    values = {name: array(charges[name]) for name in CHARGED_BY}
    rows = await conn.execute(_CHARGED_BEFORE, values)
    return {place - 1 for place in rows.scalars()}


async def insert_entries(conn: AsyncConnection, journal_id: UUID, rows: Sequence[EntryRow]) -> None:
    """Every other posting to customers' buckets."""
    if not rows:
        return
    account_ids, seqs, buckets, kinds, amounts, afters, items, labels, taxes = map(
        list, zip(*rows, strict=True)
    )
    await conn.execute(
        _ENTRIES,
        {
            "journal_id": journal_id,
            "account_ids": account_ids,
            "seqs": seqs,
            "buckets": buckets,
            "kinds": kinds,
            "amounts_micro": amounts,
            "afters_micro": afters,
            "items": items,
            "labels": labels,
            "taxes_micro": taxes,
        },
    )
