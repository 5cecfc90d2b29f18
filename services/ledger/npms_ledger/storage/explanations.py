"""What explains an amount: an account's postings by time, what they left, what they were for.

Postings of an account are numbered without a hole, and later numbers were posted later but for the
moment by which writers may overtake each other. So a span of time is a span of numbers, and the
values at its two ends differ by exactly the sum of what lies between.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

OVERTAKEN = 200
"""How many postings of one account may be out of the order of their times, at most."""

_HEAD = text(
    """
    SELECT a.account_id, a.customer_id, a.currency, a.time_zone, a.policy_code, a.opened_at,
           a.closed_at, c.name AS customer_name, c.language, p.seq
    FROM account a JOIN customer c USING (customer_id) JOIN position p USING (account_id)
    WHERE a.account_id = :account_id
    """
)
_FIRST_FROM = text(
    """
    WITH RECURSIVE search (low, high) AS (
        SELECT CAST(0 AS bigint), seq + 1 FROM position WHERE account_id = :account_id
      UNION ALL
        SELECT CASE WHEN m.early THEN m.seq ELSE s.low END,
               CASE WHEN m.early THEN s.high ELSE m.seq END
        FROM search s CROSS JOIN LATERAL (
            SELECT p.seq, j.posted_at < :at AS early
            FROM posting p JOIN journal j USING (journal_id)
            WHERE p.account_id = :account_id AND p.seq = (s.low + s.high) / 2
        ) m
        WHERE s.high - s.low > 1
    ), found AS (SELECT high FROM search ORDER BY high - low LIMIT 1)
    SELECT coalesce(
        (SELECT min(p.seq) FROM posting p JOIN journal j USING (journal_id)
         WHERE p.account_id = :account_id AND j.posted_at >= :at
           AND p.seq BETWEEN found.high - :overtaken AND found.high),
        found.high)
    FROM found
    """
)
_VALUES = text(
    """
    SELECT b.bucket, coalesce(
        (SELECT p.after_micro FROM posting p
         WHERE p.account_id = :account_id AND p.bucket = b.bucket AND p.seq < :before
         ORDER BY p.seq DESC LIMIT 1), 0) AS value_micro
    FROM unnest(enum_range(NULL::bucket)) AS b (bucket)
    """
)
_SUMS = text(
    """
    SELECT bucket, kind, count(*) AS entries, CAST(sum(amount_micro) AS bigint) AS amount_micro
    FROM posting WHERE account_id = :account_id AND seq >= :first AND seq < :before
    GROUP BY bucket, kind ORDER BY bucket, kind
    """
)
_LINES = """
    SELECT l.value ->> 0 AS component, l.value ->> 1 AS period,
           CAST(l.value ->> 2 AS int) AS block,
           CAST(sum(CAST(l.value ->> 3 AS bigint)) AS bigint) AS energy_wh,
           CAST(sum(CAST(l.value ->> 4 AS bigint)) AS bigint) AS amount_micro
    FROM posting p
    LEFT JOIN adjustment d ON d.account_id = p.account_id AND d.seq = p.seq
    CROSS JOIN LATERAL jsonb_array_elements(CAST(coalesce(p.lines, d.lines) AS jsonb)) AS l
    WHERE p.account_id = :account_id AND p.seq >= :first AND p.seq < :before
"""
_LINES_OF_ALL = text(_LINES + " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
_LINES_BEFORE = text(
    _LINES
    + """
      AND p.kind = 'charge' AND p.installation_id = :installation_id
      AND p.plan_version_id = :plan_version_id AND p.from_at >= :begins
    GROUP BY 1, 2, 3
    """
)
_FIRST_CHARGE = text(
    """
    SELECT from_at, from_register_wh FROM posting
    WHERE account_id = :account_id AND seq >= :first AND seq <= :last AND kind = 'charge'
      AND installation_id = :installation_id AND plan_version_id = :plan_version_id
      AND from_at >= :begins
    ORDER BY seq LIMIT 1
    """
)
_ENTRIES = """
    SELECT p.*, j.posted_at, j.payment_id, j.kind AS journal_kind, t.source, t.reference,
           v.plan_code, v.version,
           d.adjustment_id, d.installation_id AS adjusted_installation_id,
           d.from_at AS adjusted_from, d.to_at AS adjusted_to, d.energy_wh AS adjusted_wh,
           d.tax_micro AS adjusted_tax_micro, d.lines AS adjusted_lines, d.reason
    FROM posting p JOIN journal j USING (journal_id)
    LEFT JOIN payment t ON t.payment_id = j.payment_id
    LEFT JOIN adjustment d ON d.account_id = p.account_id AND d.seq = p.seq
    LEFT JOIN known_plan_version v
        ON v.plan_version_id = coalesce(p.plan_version_id, d.plan_version_id)
    WHERE p.account_id = :account_id AND p.seq >= :first AND p.seq < :before
"""
_SPAN = text(_ENTRIES + " ORDER BY p.seq")
_NEWEST = text(_ENTRIES + " ORDER BY p.seq DESC LIMIT :limit")
_OF_JOURNAL = text(_ENTRIES + " AND p.journal_id = :journal_id ORDER BY p.seq")
_JOURNAL = text("SELECT journal_id, posted_at FROM journal WHERE journal_id = :journal_id")
_LAST_ABOVE = text(
    """
    SELECT p.seq, p.after_micro, j.posted_at FROM posting p JOIN journal j USING (journal_id)
    WHERE p.account_id = :account_id AND p.seq < :before AND p.bucket = 'balance'
      AND p.after_micro > :floor_micro
    ORDER BY p.seq DESC LIMIT 1
    """
)
_LAST_TOP_UP = text(
    """
    SELECT p.seq, j.journal_id FROM posting p JOIN journal j USING (journal_id)
    WHERE p.account_id = :account_id AND p.seq < :before AND p.kind = 'top_up'
    ORDER BY p.seq DESC LIMIT 1
    """
)
_DECISION = text(
    """
    SELECT d.*, v.document AS policy, v.written_by AS policy_written_by,
           v.written_at AS policy_written_at
    FROM supply_decision d
    JOIN credit_policy_version v ON v.code = d.policy_code AND v.version = d.policy_version
    WHERE d.account_id = :account_id
    ORDER BY (d.state = 'off' AND d.revision > 1) DESC, d.decision_id DESC LIMIT 1
    """
)
_NOW = text(
    """
    SELECT installation_id, state, reason, revision, decided_at
    FROM supply WHERE account_id = :account_id ORDER BY installation_id
    """
)


async def head(conn: AsyncConnection, account_id: int) -> Row[Any] | None:
    """An account, its customer's name and the number of its last posting."""
    return (await conn.execute(_HEAD, {"account_id": account_id})).first()


async def first_from(conn: AsyncConnection, account_id: int, at: datetime) -> int:
    """The number of the first posting at or after a time; of the next one, if there is none."""
    values = {"account_id": account_id, "at": at, "overtaken": OVERTAKEN}
    return int((await conn.execute(_FIRST_FROM, values)).scalar_one())


async def values_before(conn: AsyncConnection, account_id: int, before: int) -> dict[str, int]:
    """What lay in each bucket before a posting, positive in the customer's favour."""
    rows = await conn.execute(_VALUES, {"account_id": account_id, "before": before})
    return {row.bucket: row.value_micro for row in rows}


async def sums(
    conn: AsyncConnection, account_id: int, *, first: int, before: int
) -> Sequence[Row[Any]]:
    """(bucket, kind, entries, amount_micro) of the postings in a span of numbers."""
    span = {"account_id": account_id, "first": first, "before": before}
    return (await conn.execute(_SUMS, span)).all()


async def lines(
    conn: AsyncConnection, account_id: int, *, first: int, before: int
) -> Sequence[Row[Any]]:
    """What charges and adjustments were for: component, period, block, energy_wh, amount_micro."""
    span = {"account_id": account_id, "first": first, "before": before}
    return (await conn.execute(_LINES_OF_ALL, span)).all()


async def lines_charged_before(
    conn: AsyncConnection, charge: Row[Any], *, begins: datetime, first: int
) -> Sequence[Row[Any]]:
    """The same of the charges before this one, of its installation and plan version, that began at
    or after a time; `first` is a posting before which none of them lies.
    """
    rows = await conn.execute(
        _LINES_BEFORE, {**_scope(charge, begins, first), "before": charge.seq}
    )
    return rows.all()


async def first_charge(
    conn: AsyncConnection, charge: Row[Any], *, begins: datetime, first: int
) -> Row[Any] | None:
    """Time and register from which those charges, this one included, begin."""
    values = {**_scope(charge, begins, first), "last": charge.seq}
    return (await conn.execute(_FIRST_CHARGE, values)).first()


def _scope(charge: Row[Any], begins: datetime, first: int) -> dict[str, Any]:
    return {
        "account_id": charge.account_id,
        "installation_id": charge.installation_id,
        "plan_version_id": charge.plan_version_id,
        "begins": begins,
        "first": first,
    }


async def entries(
    conn: AsyncConnection, account_id: int, *, first: int, before: int
) -> Sequence[Row[Any]]:
    """The postings of a span of numbers with what explains each, in their order."""
    span = {"account_id": account_id, "first": first, "before": before}
    return (await conn.execute(_SPAN, span)).all()


async def newest_entries(
    conn: AsyncConnection, account_id: int, *, first: int, before: int, limit: int
) -> Sequence[Row[Any]]:
    """The same, the newest first, and no more than `limit`."""
    span = {"account_id": account_id, "first": first, "before": before, "limit": limit}
    return (await conn.execute(_NEWEST, span)).all()


async def of_journal(
    conn: AsyncConnection, account_id: int, journal_id: UUID, *, first: int, before: int
) -> Sequence[Row[Any]]:
    """The account's postings of one journal, in a span of numbers that holds them."""
    span = {"account_id": account_id, "first": first, "before": before}
    return (await conn.execute(_OF_JOURNAL, {**span, "journal_id": journal_id})).all()


async def journal(conn: AsyncConnection, journal_id: UUID) -> Row[Any]:
    return (await conn.execute(_JOURNAL, {"journal_id": journal_id})).one()


async def last_above(
    conn: AsyncConnection, account_id: int, *, before: int, floor_micro: int
) -> Row[Any] | None:
    """The last posting that left the balance above a floor: (seq, after_micro, posted_at)."""
    values = {"account_id": account_id, "before": before, "floor_micro": floor_micro}
    return (await conn.execute(_LAST_ABOVE, values)).first()


async def last_top_up(conn: AsyncConnection, account_id: int, *, before: int) -> Row[Any] | None:
    """The last posting of a top-up: (seq, journal_id)."""
    return (await conn.execute(_LAST_TOP_UP, {"account_id": account_id, "before": before})).first()


async def deciding(conn: AsyncConnection, account_id: int) -> Row[Any] | None:
    """The last decision that switched a supply off after its opening, else the last one; with its
    policy.
    """
    return (await conn.execute(_DECISION, {"account_id": account_id})).first()


async def supplies_now(conn: AsyncConnection, account_id: int) -> Sequence[Row[Any]]:
    return (await conn.execute(_NOW, {"account_id": account_id})).all()
