"""Seals of journals, each chained to the one before: added to, never changed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_SEAL = text(
    """
    WITH head AS (
        INSERT INTO seal_head AS h (chain, seq, prev_hash, hash)
        VALUES (:chain, 1, sha256(convert_to(:chain, 'UTF8')),
                sha256(sha256(convert_to(:chain, 'UTF8')) || CAST(:digest AS bytea)))
        ON CONFLICT (chain) DO UPDATE
            SET seq = h.seq + 1, prev_hash = h.hash,
                hash = sha256(h.hash || CAST(:digest AS bytea))
        RETURNING chain, seq, prev_hash, hash
    )
    INSERT INTO seal (chain, seq, journal_id, digest, prev_hash, hash)
    SELECT chain, seq, :journal_id, :digest, prev_hash, hash FROM head
    """
)
_AS_COLUMN = "'{{' || string_agg(CAST({} AS text), ', ' ORDER BY account_id, seq) || '}}'"
_CHARGE_COLUMNS = " || E'\\n' || ".join(
    _AS_COLUMN.format(column)
    for column in (
        "account_id",
        "seq",
        "-amount_micro",
        "after_micro",
        "installation_id",
        "from_register_wh",
        "to_register_wh",
        "CAST(extract(epoch FROM from_at) AS bigint)",
        "CAST(extract(epoch FROM to_at) AS bigint)",
        "energy_wh",
        "plan_version_id",
        "tax_micro",
    )
)
DIGESTS = f"""
    SELECT j.journal_id, sha256(convert_to(concat_ws(E'\\n',
        'npms seal 1', j.journal_id, j.kind,
        CAST(extract(epoch FROM j.posted_at) * 1000000 AS bigint), coalesce(CAST(j.payment_id AS text), '-'),
        'system', s.form, 'charges', c.form, 'entries', e.form), 'UTF8')) AS digest
    FROM journal j
    LEFT JOIN (
        SELECT journal_id, string_agg(concat_ws(' ', ledger_account, currency, amount_micro), E'\\n'
                   ORDER BY ledger_account COLLATE "C", currency COLLATE "C") AS form
        FROM system_posting GROUP BY journal_id) s USING (journal_id)
    LEFT JOIN (
        SELECT journal_id, {_CHARGE_COLUMNS}
                   || E'\\n' || string_agg(lines, E'\\n' ORDER BY account_id, seq) AS form
        FROM posting WHERE kind = 'charge' GROUP BY journal_id) c USING (journal_id)
    LEFT JOIN (
        SELECT journal_id, string_agg(concat_ws(' ', account_id, seq, bucket, kind, amount_micro,
                   after_micro, '#' || item_no, '%' || tax_micro, ':' || label), E'\\n' ORDER BY account_id, seq) AS form
        FROM posting WHERE kind <> 'charge' GROUP BY journal_id) e USING (journal_id)
"""  # noqa: S608, E501 - names of this module
"""(journal_id, digest) of every journal, as its rows are now."""

BROKEN = f"""
    WITH made AS MATERIALIZED ({DIGESTS}),
    chained AS (
        SELECT *, lag(hash, 1, sha256(convert_to(chain, 'UTF8'))) OVER w AS hash_before,
               lag(seq, 1, CAST(0 AS bigint)) OVER w AS seq_before
        FROM seal WINDOW w AS (PARTITION BY chain ORDER BY seq)
    ),
    last AS (SELECT DISTINCT ON (chain) * FROM seal ORDER BY chain, seq DESC)
    SELECT m.journal_id, 'it has no seal' AS says
    FROM made m WHERE NOT EXISTS (SELECT FROM seal s WHERE s.journal_id = m.journal_id)
    UNION ALL
    SELECT c.journal_id, 'it was sealed and is gone'
    FROM chained c WHERE NOT EXISTS (SELECT FROM journal j WHERE j.journal_id = c.journal_id)
    UNION ALL
    SELECT c.journal_id, 'it is not as it was sealed'
    FROM chained c JOIN made m USING (journal_id) WHERE m.digest <> c.digest
    UNION ALL
    SELECT c.journal_id, 'its seal is not what its parts make'
    FROM chained c WHERE c.hash <> sha256(c.prev_hash || c.digest)
    UNION ALL
    SELECT c.journal_id, 'its seal does not follow the one before it in chain ' || c.chain
    FROM chained c WHERE (c.prev_hash, c.seq) <> (c.hash_before, c.seq_before + 1)
    UNION ALL
    SELECT l.journal_id, 'the head of chain ' || h.chain || ' is not its last seal'
    FROM seal_head h LEFT JOIN last l USING (chain)
    WHERE (h.seq, h.prev_hash, h.hash) IS DISTINCT FROM (l.seq, l.prev_hash, l.hash)
    UNION ALL
    SELECT l.journal_id, 'chain ' || l.chain || ' has no head'
    FROM last l WHERE NOT EXISTS (SELECT FROM seal_head h WHERE h.chain = l.chain)
"""  # noqa: S608
"""(journal_id, says) of whatever is not as it was sealed; reads every posting."""

NEWEST_BROKEN = """
    SELECT h.chain, s.seq, s.journal_id FROM seal_head h CROSS JOIN LATERAL (
        SELECT *, lag(hash) OVER (ORDER BY seq) AS hash_before, lag(seq) OVER (ORDER BY seq) AS seq_before
        FROM (SELECT * FROM seal WHERE chain = h.chain ORDER BY seq DESC LIMIT 20) newest
    ) s
    WHERE s.hash <> sha256(s.prev_hash || s.digest)
       OR s.prev_hash <> s.hash_before OR s.seq <> s.seq_before + 1
       OR s.seq > h.seq OR (s.seq = h.seq AND s.hash <> h.hash)
"""  # noqa: E501
"""Seals among each chain's newest twenty that do not follow from each other."""


async def add(conn: AsyncConnection, journal_id: UUID, *, chain: str, digest: bytes) -> None:
    """Put a journal's seal at the end of its chain, whose head stays locked until the commit."""
    await conn.execute(_SEAL, {"journal_id": journal_id, "chain": chain, "digest": digest})


async def broken(conn: AsyncConnection) -> Sequence[Row[Any]]:
    return (await conn.execute(text(BROKEN))).all()


async def heads(conn: AsyncConnection) -> Sequence[Row[Any]]:
    """(chain, seq, hash) of every chain."""
    found = await conn.execute(text("SELECT chain, seq, hash FROM seal_head ORDER BY chain"))
    return found.all()
