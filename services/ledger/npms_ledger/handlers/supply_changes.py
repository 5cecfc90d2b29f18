"""What follows when another state of supply is desired: a revision, its record, the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.decision import Reason
from npms_ledger.handlers.causes import Cause
from npms_ledger.storage import decisions, reconnections, review_tasks, supplies
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.ids import new_id
from npms_shared.messaging import outbox

HOLDS = frozenset(
    {
        Reason.PROTECTED,
        Reason.FRIENDLY_HOURS,
        Reason.HOLIDAY,
        Reason.KEPT_ON,
        Reason.LOAD_LIMITED,
        Reason.GUARDRAIL,
    }
)
"""Reasons that keep a supply on without credit."""
CUT_PROTECTED = "would_be_cut_but_is_protected"


async def change_supplies(
    conn: AsyncConnection,
    accounts: Sequence[Account],
    *,
    now: datetime,
    cause: Cause,
    journal_id: UUID | None = None,
) -> None:
    """Where the desired state changed, give it a new revision, say so and write down why."""
    await ask_for_reviews(conn, accounts, now)
    changing = {a.account_id: a for a in accounts if a.supply_changes}
    if not changing:
        return
    rows = [
        (a.account_id, _state(a), a.reason.value, a.position.limit_w) for a in changing.values()
    ]
    changes = await supplies.change(conn, rows, now)
    await outbox.publish_all(
        conn, [(_supply_desired(changed, now), str(changed.account_id)) for changed in changes]
    )
    await record(
        conn,
        [(changing[changed.account_id], changed) for changed in changes],
        now=now,
        cause=cause,
        journal_id=journal_id,
    )
    await _time_reconnections(conn, changing, changes, now=now, cause=cause)


@dataclass(frozen=True, slots=True)
class _First:
    """What every installation begins with."""

    installation_id: int
    revision: int = 1


async def desire_first(
    conn: AsyncConnection, account: Account, installation_id: int, *, now: datetime, cause: Cause
) -> SupplyDesired:
    """The first desired state of an installation. Returns what the caller must say of it, after it
    has said that the installation was opened.
    """
    position, first = account.position, _First(installation_id)
    await supplies.insert(
        conn,
        installation_id,
        account_id=account.account_id,
        state=_state(account),
        reason=account.reason,
        limit_w=position.limit_w,
        now=now,
    )
    await record(conn, [(account, first)], now=now, cause=cause, journal_id=None)
    return SupplyDesired(
        installation_id=installation_id,
        account_id=account.account_id,
        state="on" if position.supply_on else "off",
        revision=first.revision,
        reason=account.reason,
        decided_at=now,
        limit_w=position.limit_w,
    )


async def record(
    conn: AsyncConnection,
    changes: Sequence[tuple[Account, Any]],
    *,
    now: datetime,
    cause: Cause,
    journal_id: UUID | None,
) -> None:
    """Why each supply is desired as it is. A change has installation_id and revision."""
    if changes:
        rows = [
            {
                **_decided(account, now),
                "installation_id": changed.installation_id,
                "revision": changed.revision,
                "decided_at": now,
                "decided_by": cause.kind,
                "subject": cause.subject,
                "payment_id": cause.payment_id,
                "journal_id": journal_id,
            }
            for account, changed in changes
        ]
        await decisions.insert(conn, rows)


def _decided(account: Account, now: datetime) -> dict[str, Any]:
    position, policy = account.position, account.policy_at(now)
    was = account.reason_was
    ended = was if was in HOLDS and was is not account.reason else None
    return {
        "account_id": account.account_id,
        "state": _state(account),
        "limit_w": position.limit_w,
        "reason": account.reason.value,
        "hold_ended": ended.value if ended else None,
        "policy_code": account.policy_code,
        "policy_version": account.policy_version,
        "balance_micro": position.balance_micro,
        "floor_micro": policy.floor_micro,
        "debt_micro": position.debt_micro,
        "emergency_used_micro": position.emergency_used_micro,
        "emergency": position.emergency.value,
        "amount_to_clear_micro": account.amount_to_clear(now),
        "mass_cut_id": account.mass_cut_id if account.is_cut else None,
    }


async def ask_for_reviews(
    conn: AsyncConnection, accounts: Sequence[Account], now: datetime
) -> None:
    """Whom only protection keeps on from now on, a person must look at."""
    rows = [
        {
            "review_task_id": new_id(),
            "account_id": account.account_id,
            "what": CUT_PROTECTED,
            "balance_micro": account.position.balance_micro,
            "amount_to_clear_micro": account.amount_to_clear(now),
        }
        for account in accounts
        if account.reason is Reason.PROTECTED and account.reason_was is not Reason.PROTECTED
    ]
    if rows:
        await review_tasks.add(conn, rows, now)


async def _time_reconnections(
    conn: AsyncConnection,
    changing: dict[int, Account],
    changes: Sequence[Row[Any]],
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """Start the clock of who was cut and has paid; stop that of who is cut again."""
    cut = [changed.installation_id for changed in changes if changed.state == "off"]
    if cut:
        await reconnections.supersede(conn, cut, now)
    paid = [
        {
            "reconnection_id": new_id(),
            "installation_id": changed.installation_id,
            "revision": changed.revision,
            "payment_id": cause.payment_id,
            "settled_at": cause.settled_at or now,
        }
        for changed in changes
        if changed.state == "on" and _is_restored(changing[changed.account_id], cause)
    ]
    if paid:
        await reconnections.begin(conn, paid, now)


def _is_restored(account: Account, cause: Cause) -> bool:
    return cause.kind == "payment" and account.taken is not None and not account.taken.supply_on


def _state(account: Account) -> str:
    return "on" if account.position.supply_on else "off"


def _supply_desired(changed: Row[Any], now: datetime) -> SupplyDesired:
    return SupplyDesired(
        installation_id=changed.installation_id,
        account_id=changed.account_id,
        state=changed.state,
        revision=changed.revision,
        reason=changed.reason,
        decided_at=now,
        limit_w=changed.limit_w,
    )
