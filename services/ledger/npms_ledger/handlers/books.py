"""Accounts taken in hand under their locks, and put back with all that follows from a change."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger import outgoing
from npms_ledger.domain.account import Account
from npms_ledger.domain.decision import Reason
from npms_ledger.domain.documents import from_document
from npms_ledger.domain.journal import balanced
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import EmergencyState, Position, Told
from npms_ledger.domain.seal import account_chain
from npms_ledger.handlers import journals
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.journals import Journal
from npms_ledger.storage import positions, postings, supplies
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.messaging import outbox


@lru_cache(maxsize=4096)
def read_policy(document: str) -> CreditPolicy:
    """A stored document as a policy; the same text is always the same policy."""
    return from_document(json.loads(document))


async def take(conn: AsyncConnection, account_id: int) -> Account:
    """One account, locked. Raises AccountUnknown."""
    taken = await take_all(conn, [account_id])
    if account_id not in taken:
        raise AccountUnknown(account_id)
    return taken[account_id]


async def take_all(conn: AsyncConnection, account_ids: Collection[int]) -> dict[int, Account]:
    """The accounts that exist, locked in the order of their ids."""
    await positions.lock(conn, account_ids)
    return await take_locked(conn, account_ids)


async def take_locked(conn: AsyncConnection, account_ids: Collection[int]) -> dict[int, Account]:
    """Accounts whose positions this transaction has locked already, or only wants to read."""
    rows = await positions.load(conn, account_ids)
    return {row.account_id: _account(row) for row in rows}


def _account(row: Row[Any]) -> Account:
    position = Position(
        balance_micro=row.balance_micro,
        debt_micro=row.debt_micro,
        emergency_used_micro=row.emergency_used_micro,
        emergency=EmergencyState(row.emergency),
        warned_micro=row.warned_micro,
        was_in_credit=row.was_in_credit,
        told=Told(row.told),
        supply_on=row.supply_on,
        protected=row.protected,
        closed=row.closed,
    )
    return Account(
        account_id=row.account_id,
        currency=row.currency,
        zone=ZoneInfo(row.time_zone),
        policy=read_policy(row.policy),
        position=position,
        seq=row.seq,
        reason=Reason(row.reason),
        wake_micro=row.wake_micro,
        supply_was_on=row.supply_on,
    )


async def put_back(
    conn: AsyncConnection, accounts: Sequence[Account], *, journal: Journal, now: datetime
) -> None:
    """Write the journal with the accounts' postings, if money moved; store positions, schedule the
    next decisions, say what changed.
    """
    journal.entries = entry_rows(accounts)
    if journal.must_be_written():
        await journals.write(conn, journal)
    if not accounts:
        return
    await positions.update(conn, columns_of(accounts))
    await positions.schedule(conn, {account.account_id: account.decide_at for account in accounts})
    await change_supplies(conn, accounts, now)
    await tell(conn, accounts, now)


async def put_back_one(
    conn: AsyncConnection,
    account: Account,
    *,
    kind: str,
    now: datetime,
    counterparts: dict[str, int] | None = None,
    payment_id: UUID | None = None,
) -> UUID:
    """Put an account back with a journal of its own, if money moved; returns the journal's id."""
    journal = journal_of(
        [account], kind=kind, now=now, counterparts=counterparts, payment_id=payment_id
    )
    await put_back(conn, [account], journal=journal, now=now)
    return journal.journal_id


def journal_of(
    accounts: Sequence[Account],
    *,
    kind: str,
    now: datetime,
    counterparts: dict[str, int] | None = None,
    payment_id: UUID | None = None,
) -> Journal:
    """The journal of what was done to accounts of one currency, with the system's side.

    Raises UnbalancedJournal.
    """
    entries = [entry for account in accounts for _, entry in account.written]
    system = balanced(accounts[0].currency, entries, counterparts or {})
    return Journal(
        kind=kind,
        posted_at=now,
        chain=account_chain(min(account.account_id for account in accounts)),
        payment_id=payment_id,
        system=[(s.ledger_account, s.currency, s.amount_micro) for s in system],
        entries=entry_rows(accounts),
    )


def entry_rows(accounts: Sequence[Account]) -> list[postings.EntryRow]:
    return [
        (account.account_id, seq, entry.bucket, entry.kind, entry.amount_micro, entry.after_micro)
        for account in accounts
        for seq, entry in account.written
    ]


def columns_of(accounts: Sequence[Account]) -> dict[str, list[Any]]:
    """Positions as the columns that storage writes."""
    columns: dict[str, list[Any]] = {}
    held = [account.position for account in accounts]
    for name in positions.COLUMNS:
        of_position = name in Position.__slots__
        columns[name] = [getattr(one, name) for one in (held if of_position else accounts)]
    return columns


async def change_supplies(
    conn: AsyncConnection, accounts: Sequence[Account], now: datetime
) -> None:
    """Where the desired state changed, give it a new revision and say so."""
    rows = [
        (a.account_id, "on" if a.position.supply_on else "off", a.reason.value)
        for a in accounts
        if a.position.supply_on != a.supply_was_on
    ]
    if not rows:
        return
    changes = await supplies.change(conn, rows, now)
    await outbox.publish_all(
        conn, [(_supply_desired(changed, now), str(changed.account_id)) for changed in changes]
    )


def _supply_desired(changed: Row[Any], now: datetime) -> SupplyDesired:
    return SupplyDesired(
        installation_id=changed.installation_id,
        account_id=changed.account_id,
        state=changed.state,
        revision=changed.revision,
        reason=changed.reason,
        decided_at=now,
    )


async def tell(conn: AsyncConnection, accounts: Sequence[Account], now: datetime) -> None:
    """Say what the accounts' decisions had to tell."""
    said = [
        (
            outgoing.credit_event(
                event, account_id=account.account_id, currency=account.currency, at=now
            ),
            str(account.account_id),
        )
        for account in accounts
        for event in account.events
    ]
    await outbox.publish_all(conn, said)
