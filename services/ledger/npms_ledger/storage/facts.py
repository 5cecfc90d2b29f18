"""What the ledger tells others of accounts, installations and supplies, all of it."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ACCOUNTS = text(
    """
    SELECT a.account_id, a.customer_id, c.name AS customer_name, a.currency, a.time_zone,
           c.language, c.contacts, a.opened_at,
           CASE WHEN p.closed THEN coalesce(a.leaving_at, a.closed_at) END AS closed_at
    FROM account a JOIN customer c USING (customer_id) JOIN position p USING (account_id)
    ORDER BY a.account_id
    """
)
# A new meter opens at the instant at which the one in whose place it comes is closed.
_INSTALLATIONS = text(
    """
    WITH told AS (
        SELECT i.*, a.customer_id, a.currency, a.time_zone, a.customer_class, u.commodity,
               u.max_power_w, (
            SELECT old.installation_id FROM installation old
            WHERE old.account_id = i.account_id AND old.usage_point_id = i.usage_point_id
              AND old.closed_at = i.opened_at AND old.installation_id < i.installation_id
            ORDER BY old.installation_id DESC LIMIT 1
        ) AS replaces_installation_id
        FROM installation i JOIN account a USING (account_id) JOIN usage_point u USING
            (usage_point_id)
    )
    SELECT told.*, opened_at AS at, false AS is_closing FROM told
    UNION ALL SELECT told.*, closed_at, true FROM told WHERE closed_at IS NOT NULL
    ORDER BY at, installation_id, is_closing
    """
)
_SUPPLIES = text(
    """
    SELECT s.installation_id, s.account_id, CAST(s.state AS text) AS state, s.revision, s.reason,
           s.decided_at, s.limit_w
    FROM supply s JOIN installation i USING (installation_id) WHERE i.closed_at IS NULL
    ORDER BY s.installation_id
    """
)
_LIMITED = text("SELECT account_id FROM vend_limits_told ORDER BY account_id")
# The decisions stand: each is written down once more under the number that it has now.
_SKIP_REVISIONS = text(
    """
    WITH skipped AS (
        UPDATE supply SET revision = revision + :skipped RETURNING installation_id, revision
    )
    INSERT INTO supply_decision (account_id, installation_id, revision, state, limit_w, reason,
        hold_ended, policy_code, policy_version, balance_micro, floor_micro, debt_micro,
        emergency_used_micro, emergency, amount_to_clear_micro, decided_at, decided_by, subject,
        payment_id, journal_id, mass_cut_id)
    SELECT DISTINCT ON (d.installation_id) d.account_id, d.installation_id, s.revision, d.state,
        d.limit_w, d.reason, d.hold_ended, d.policy_code, d.policy_version, d.balance_micro,
        d.floor_micro, d.debt_micro, d.emergency_used_micro, d.emergency, d.amount_to_clear_micro,
        d.decided_at, d.decided_by, d.subject, d.payment_id, d.journal_id, d.mass_cut_id
    FROM skipped s JOIN supply_decision d USING (installation_id)
    ORDER BY d.installation_id, d.revision DESC
    """
)


async def accounts(conn: AsyncConnection) -> AsyncIterator[Row[Any]]:
    """By id; `closed_at` from leaving on."""
    async for row in _stream(conn, _ACCOUNTS):
        yield row


async def installations(conn: AsyncConnection) -> AsyncIterator[Row[Any]]:
    """Openings, and closings (`is_closing`), in the order in which they happened."""
    async for row in _stream(conn, _INSTALLATIONS):
        yield row


async def supplies(conn: AsyncConnection) -> AsyncIterator[Row[Any]]:
    """Of open installations."""
    async for row in _stream(conn, _SUPPLIES):
        yield row


async def _stream(conn: AsyncConnection, query: TextClause) -> AsyncIterator[Row[Any]]:
    async with conn.stream(query) as rows:
        async for row in rows:
            yield row


async def limited(conn: AsyncConnection) -> list[int]:
    """Accounts of whose limits payments was told."""
    return list((await conn.execute(_LIMITED)).scalars())


async def skip_revisions(conn: AsyncConnection, skipped: int) -> None:
    """Desire every supply as it is under a revision beyond all that was told before."""
    await conn.execute(_SKIP_REVISIONS, {"skipped": skipped})
