"""What people look at: accounts, and their statements newest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ACCOUNTS = """
    SELECT a.account_id, a.customer_id, a.policy_code, a.customer_class, a.currency, a.time_zone,
           a.opened_at, a.closed_at,
           c.name AS customer_name, c.language, c.contacts
    FROM account a JOIN customer c USING (customer_id)
"""
_ONE = text(_ACCOUNTS + " WHERE a.account_id = :account_id")
_PAGE = text(
    _ACCOUNTS
    + """
    WHERE a.account_id > :after AND (CAST(:customer_id AS bigint) IS NULL
                                     OR a.customer_id = :customer_id)
    ORDER BY a.account_id LIMIT :limit
    """
)
_INSTALLATIONS = text(
    """
    SELECT i.*, u.label, u.commodity, u.max_power_w
    FROM installation i JOIN usage_point u USING (usage_point_id)
    WHERE i.account_id = :account_id ORDER BY i.installation_id
    """
)
_STATEMENT = text(
    """
    SELECT p.*, j.posted_at, j.payment_id, t.source, t.reference, v.plan_code, v.version,
           d.adjustment_id, d.installation_id AS adjusted_installation_id,
           d.from_at AS adjusted_from, d.to_at AS adjusted_to, d.energy_wh AS adjusted_wh,
           d.tax_micro AS adjusted_tax_micro, d.lines AS adjusted_lines, d.reason
    FROM posting p JOIN journal j USING (journal_id)
    LEFT JOIN payment t ON t.payment_id = j.payment_id
    LEFT JOIN adjustment d ON d.account_id = p.account_id AND d.seq = p.seq
    LEFT JOIN known_plan_version v
        ON v.plan_version_id = coalesce(p.plan_version_id, d.plan_version_id)
    WHERE p.account_id = :account_id AND p.seq < :before
    ORDER BY p.seq DESC LIMIT :limit
    """
)


async def account(conn: AsyncConnection, account_id: int) -> Row[Any] | None:
    return (await conn.execute(_ONE, {"account_id": account_id})).first()


async def accounts(
    conn: AsyncConnection, *, after: int, limit: int, customer_id: int | None
) -> Sequence[Row[Any]]:
    """Accounts with ids above `after`; of one customer, or of all with None."""
    rows = await conn.execute(_PAGE, {"after": after, "limit": limit, "customer_id": customer_id})
    return rows.all()


async def installations(conn: AsyncConnection, account_id: int) -> Sequence[Row[Any]]:
    return (await conn.execute(_INSTALLATIONS, {"account_id": account_id})).all()


async def statement(
    conn: AsyncConnection, account_id: int, *, before: int, limit: int
) -> Sequence[Row[Any]]:
    """Postings with seq below `before`, newest first."""
    rows = await conn.execute(
        _STATEMENT, {"account_id": account_id, "before": before, "limit": limit}
    )
    return rows.all()
