"""The audit trail: who did what to which thing, when and why, in the transaction that did it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.actor import Actor
from npms_ledger.storage import audit_trail

Facts = dict[str, Any]
"""A few facts that JSON can hold."""


async def note(
    conn: AsyncConnection,
    by: Actor,
    action: str,
    *,
    subject: str,
    now: datetime,
    reason: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """Keep that somebody did something. `subject` names one thing, e.g. `account:17`."""
    await audit_trail.add(
        conn,
        at=now,
        by_subject=by.subject,
        by_roles=list(by.roles),
        action=action,
        subject=subject,
        reason=reason,
        before=before,
        after=after,
    )


async def list_trail(
    conn: AsyncConnection,
    *,
    before: int,
    limit: int,
    subject: str | None = None,
    by_subject: str | None = None,
    action: str | None = None,
) -> Sequence[Row[Any]]:
    """The newest first, with ids below `before`."""
    return await audit_trail.page(
        conn, before=before, limit=limit, subject=subject, by_subject=by_subject, action=action
    )


def of_account(account_id: int) -> str:
    return f"account:{account_id}"


def money_of(account: Account) -> Facts:
    """Where an account's money lies, in micro-units."""
    position = account.position
    return {
        "balance_micro": position.balance_micro,
        "debt_micro": position.debt_micro,
        "emergency_used_micro": position.emergency_used_micro,
        "granted_micro": position.grant_micro,
    }
