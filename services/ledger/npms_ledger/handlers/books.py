"""Accounts taken in hand under their locks, and put back with all that follows from a change."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
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
from npms_ledger.domain.events import CreditEvent, CreditExhausted
from npms_ledger.domain.forecast import Use, clears_at
from npms_ledger.domain.journal import balanced
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import CutHold, EmergencyState, Position, Told
from npms_ledger.domain.seal import account_chain
from npms_ledger.handlers import holdings, journals
from npms_ledger.handlers.causes import SCHEDULER, Cause, cause_of
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.guardrail import hold_mass_cuts, leave_lists
from npms_ledger.handlers.journals import Journal
from npms_ledger.handlers.supply_changes import change_supplies
from npms_ledger.storage import positions, postings, usage
from npms_shared.messaging import outbox

RECENT_USE = timedelta(days=7)
RECENT_POSTINGS = 2000
"""Use is estimated from charges as old as that, among as many postings."""


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
    zone = ZoneInfo(row.time_zone)
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
        protected_until=row.protected_until,
        keep_on_until=row.keep_on_until,
        limit_w=row.limit_w,
        limit_until=row.limit_until,
        can_limit=row.can_limit,
        cut_hold=CutHold(row.cut_hold),
        cut_held_until=row.cut_held_until,
        debts=holdings.debts_of(row.debts),
        recovered_micro=row.recovered_micro,
        recovered_since=row.recovered_since,
        grants=holdings.grants_of(row.grants),
        vend=holdings.vend_of(row.vend_plans, row.vend_begun, zone),
        opened_at=row.opened_at,
    )
    return Account(
        account_id=row.account_id,
        currency=row.currency,
        zone=zone,
        policy=read_policy(row.policy),
        position=position,
        seq=row.seq,
        reason=Reason(row.reason),
        wake_micro=row.wake_micro,
        policy_code=row.policy_code,
        policy_version=row.policy_version,
        taken=position,
        reason_was=Reason(row.reason),
        mass_cut_id=row.mass_cut_id,
    )


async def put_back(
    conn: AsyncConnection,
    accounts: Sequence[Account],
    *,
    journal: Journal,
    now: datetime,
    cause: Cause = SCHEDULER,
) -> None:
    """Write the journal with the accounts' postings, if money moved; store positions, schedule the
    next decisions, say what changed and why.

    Cuts beyond the guardrail's limits are held back here, before anything of them is stored.
    """
    await hold_mass_cuts(conn, accounts, now)
    await leave_lists(conn, accounts, now)
    journal.entries = entry_rows(accounts)
    journal.system = [*journal.system, *_system_rows(accounts)]
    journal_id = journal.journal_id if journal.must_be_written() else None
    if journal_id is not None:
        await journals.write(conn, journal)
    if not accounts:
        return
    await positions.update(conn, columns_of(accounts))
    await holdings.save(conn, accounts, now)
    await positions.schedule(conn, {account.account_id: account.decide_at for account in accounts})
    await change_supplies(conn, accounts, now=now, cause=cause, journal_id=journal_id)
    await tell(conn, accounts, now)


async def put_back_one(
    conn: AsyncConnection,
    account: Account,
    *,
    kind: str,
    now: datetime,
    counterparts: dict[str, int] | None = None,
    payment_id: UUID | None = None,
    cause: Cause | None = None,
) -> UUID:
    """Put an account back with a journal of its own, if money moved; returns the journal's id."""
    journal = journal_of(
        [account], kind=kind, now=now, counterparts=counterparts, payment_id=payment_id
    )
    cause = cause or cause_of(payment_id)
    await put_back(conn, [account], journal=journal, now=now, cause=cause)
    return journal.journal_id


def journal_of(
    accounts: Sequence[Account],
    *,
    kind: str,
    now: datetime,
    counterparts: dict[str, int] | None = None,
    payment_id: UUID | None = None,
) -> Journal:
    """The journal of what was done to accounts of one currency, with the system's side: the
    counterparts given here, and those that the accounts' own rules gave.

    Raises UnbalancedJournal.
    """
    entries = [entry for account in accounts for _, entry in account.written]
    sums = Counter(counterparts)
    for account in accounts:
        sums.update(account.counterparts)
        account.counterparts = {}
    system = balanced(accounts[0].currency, entries, sums)
    return Journal(
        kind=kind,
        posted_at=now,
        chain=account_chain(min(account.account_id for account in accounts)),
        payment_id=payment_id,
        system=[(s.ledger_account, s.currency, s.amount_micro) for s in system],
        entries=entry_rows(accounts),
    )


def _system_rows(accounts: Sequence[Account]) -> list[postings.SystemRow]:
    """The system's side of what the accounts' rules posted, if no journal of theirs has it yet.

    Raises UnbalancedJournal.
    """
    sums: dict[tuple[str, str], int] = {}
    for account in accounts:
        if account.counterparts:
            entries = [entry for _, entry in account.written]
            for one in balanced(account.currency, entries, account.counterparts):
                key = one.ledger_account, one.currency
                sums[key] = sums.get(key, 0) + one.amount_micro
    return [(name, currency, amount) for (name, currency), amount in sums.items() if amount]


def entry_rows(accounts: Sequence[Account]) -> list[postings.EntryRow]:
    return [
        (
            *(account.account_id, seq, entry.bucket, entry.kind, entry.amount_micro),
            *(entry.after_micro, entry.item, entry.label, entry.tax_micro),
        )
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


async def tell(conn: AsyncConnection, accounts: Sequence[Account], now: datetime) -> None:
    """Say what the accounts' decisions had to tell."""
    said = [
        (
            outgoing.credit_event(
                event,
                account_id=account.account_id,
                currency=account.currency,
                at=now,
                estimate=await _estimate(conn, account, event, now),
            ),
            str(account.account_id),
        )
        for account in accounts
        for event in account.events
    ]
    await outbox.publish_all(conn, said)


async def _estimate(
    conn: AsyncConnection, account: Account, event: CreditEvent, now: datetime
) -> outgoing.Estimate | None:
    """What will clear an account when its hold ends, if enough is known of its use."""
    if not isinstance(event, CreditExhausted) or event.keeps_supply_until is None:
        return None
    used = Use(
        *await usage.recent(conn, account.account_id, since=now - RECENT_USE, limit=RECENT_POSTINGS)
    )
    basis = used.basis()
    if basis is None:
        return None
    amount_micro = clears_at(
        account.position,
        policy=account.policy,
        zone=account.zone,
        now=now,
        until=event.keeps_supply_until,
        use=used,
    )
    return outgoing.Estimate(amount_micro, basis)
