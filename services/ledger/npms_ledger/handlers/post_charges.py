"""Charges: the way from a reading to a balance that millions take.

Per charge this does a handful of integer operations; only accounts whose balance reaches its
wake level are loaded whole and decided. A charge that belongs to nobody we know, or was posted
before, is parked with its reason, the others are posted.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger import metrics
from npms_ledger.domain.account import Account
from npms_ledger.domain.journal import SystemAccount
from npms_ledger.domain.seal import charges_chain
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import CHARGE
from npms_ledger.handlers.charge_columns import Columns, by_account, gather, pick
from npms_ledger.handlers.close_installations import end_rating
from npms_ledger.handlers.journals import Journal
from npms_ledger.storage import installations, parked_charges, positions, postings
from npms_shared.clock import Clock
from npms_shared.contracts.tariff import ChargesBatch, RatingEnd
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import Portion, Received

Owner = tuple[int, str]
"""(account_id, currency) of an installation: never changes, so it is remembered for good."""


class PostCharges:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owners: dict[int, Owner] = {}
        self._sure: set[int] = set()

    def forget(self, partition: int) -> None:
        """After a takeover or a transaction that failed: look whether the next were posted before.

        Otherwise only the index `posting_charged_once` stands against posting one twice.
        """
        self._sure.discard(partition)

    async def __call__(self, conn: AsyncConnection, portions: list[Portion[ChargesBatch]]) -> None:
        """Post every charge to its account's balance, in one journal for all partitions; then end
        what rating has ended.
        """
        received = [one for _, portion in portions for one in portion]
        partitions = {partition for partition, _ in portions}
        in_doubt = not partitions <= self._sure
        now = self._clock.now()
        ends = [end for one in received for end in one.batch.ends]
        if ends:
            await _lock(conn, received, ends)
        system: list[postings.SystemRow] = []
        groups = []
        for currency, batches in _by_currency(received).items():
            columns = await self._ours(conn, currency, batches, now, in_doubt=in_doubt)
            if columns["account_id"]:
                groups.append(columns)
                system += _system_rows(columns, currency)
        if groups:
            chain = charges_chain(min(partition for partition, _ in portions))
            journal = Journal(kind="charges", posted_at=now, chain=chain, system=system)
            await _post(conn, by_account(gather(groups)), journal, now)
            self._measure(groups, now)
        if ends:
            await end_rating(conn, ends, now)
        self._sure |= partitions

    async def _ours(
        self,
        conn: AsyncConnection,
        currency: str,
        batches: list[Received[ChargesBatch]],
        now: datetime,
        *,
        in_doubt: bool,
    ) -> Columns:
        """The batches' columns without the charges that fit no account of ours, or are posted."""
        columns = gather(vars(received.batch) for received in batches)
        installation_ids = columns["installation_id"]
        await self._learn(conn, installation_ids)
        owners = self._owners
        wanted = [(account_id, currency) for account_id in columns["account_id"]]
        strange: dict[int, str] = {}
        if [owners.get(one) for one in installation_ids] != wanted:
            strange = {
                index: self._why_not_ours(columns, index)
                for index, one in enumerate(installation_ids)
                if owners.get(one) != wanted[index]
            }
        if in_doubt:
            strange |= dict.fromkeys(await _posted_before(conn, columns), "already_charged")
        if not strange:
            return columns
        message_ids = [r.meta.message_id for r in batches for _ in range(len(r.batch))]
        rows = [
            _parked(pick(columns, [index]), message_ids[index], currency, code)
            for index, code in strange.items()
        ]
        await parked_charges.insert(conn, rows, now)
        for code in strange.values():
            metrics.CHARGES_PARKED.labels(code=code).inc()
        return pick(columns, sorted(set(range(len(wanted))) - set(strange)))

    def _why_not_ours(self, columns: Columns, index: int) -> str:
        owner = self._owners.get(columns["installation_id"][index])
        if owner is None:
            return "unknown_installation"
        if owner[0] != columns["account_id"][index]:
            return "not_the_account_s_installation"
        return "currency_mismatch"

    async def _learn(self, conn: AsyncConnection, installation_ids: list[int]) -> None:
        missing = {one for one in installation_ids if one not in self._owners}
        if missing:
            for row in await installations.owners(conn, missing):
                self._owners[row.installation_id] = (row.account_id, row.currency)

    def _measure(self, groups: list[Columns], now: datetime) -> None:
        """How old the newest reading of the batch was when its charge was posted, in real time."""
        newest = max(columns["to_s"][-1] for columns in groups)
        metrics.CHARGES_POSTED.inc(sum(len(columns["to_s"]) for columns in groups))
        metrics.READING_TO_BALANCE.observe(max(0.0, now.timestamp() - newest) / self._clock.speed)


async def _lock(
    conn: AsyncConnection, received: list[Received[ChargesBatch]], ends: list[RatingEnd]
) -> None:
    """All positions at once, in one order, though of some only the end is told."""
    charged = {account_id for one in received for account_id in one.batch.account_id}
    await positions.lock(conn, charged | {end.account_id for end in ends})


def _parked(one: Columns, message_id: UUID, currency: str, code: str) -> dict[str, Any]:
    charge = {name: values[0] for name, values in one.items()}
    return {
        "parked_charge_id": new_id(),
        "message_id": message_id,
        "code": code,
        "installation_id": charge["installation_id"],
        "account_id": charge["account_id"],
        "currency": currency,
        "charge": orjson.dumps(charge).decode(),
    }


async def _posted_before(conn: AsyncConnection, columns: Columns) -> set[int]:
    """The places of charges whose register interval was posted, or stands among them already."""
    doubled = await postings.charged_before(conn, columns)
    seen: set[tuple[int, ...]] = set()
    rows = zip(*(columns[name] for name in postings.CHARGED_BY), strict=True)
    for index, (installation_id, from_wh, to_wh, from_s, to_s) in enumerate(rows):
        used = from_wh != to_wh
        key = (installation_id, from_wh) if used else (installation_id, from_s, to_s)
        if key in seen:
            doubled.add(index)
        seen.add(key)
    return doubled


def _by_currency(
    received: Iterable[Received[ChargesBatch]],
) -> dict[str, list[Received[ChargesBatch]]]:
    """An account has one currency, so that its order is kept."""
    groups: dict[str, list[Received[ChargesBatch]]] = {}
    for one in received:
        groups.setdefault(one.batch.currency, []).append(one)
    return groups


def _system_rows(columns: Columns, currency: str) -> list[postings.SystemRow]:
    tax = sum(columns["tax_micro"])
    shares = {
        SystemAccount.ENERGY_REVENUE: sum(columns["amount_micro"]) - tax,
        SystemAccount.TAX_PAYABLE: tax,
    }
    return [(name.value, currency, amount) for name, amount in shares.items() if amount]


async def _post(conn: AsyncConnection, columns: Columns, journal: Journal, now: datetime) -> None:
    """Columns in the order of accounts, as the seal has them and as they lie on the disk."""
    account_ids, amounts = columns["account_id"], columns["amount_micro"]
    tallies = await positions.lock_tallies(conn, set(account_ids))
    seqs, afters, woken = run_down(account_ids, amounts, tallies)
    decided: dict[int, Account] = {}
    if woken:
        decided = await books.take_locked(conn, woken)
        _charge_one_by_one(columns, decided, now, seqs=seqs, afters=afters)
    journal.charges = postings.charge_texts({**columns, "seq": seqs, "after_micro": afters})
    journal.lines = [orjson.dumps(lines).decode() for lines in columns["lines"]]
    await _update(conn, tallies, woken)
    await books.put_back(conn, list(decided.values()), journal=journal, now=now, cause=CHARGE)


def run_down(
    account_ids: list[int], amounts: list[int], tallies: dict[int, list[int]]
) -> tuple[list[int], list[int], set[int]]:
    """Chain the charges of each account; tallies are [balance, seq, wake level], changed in place.

    Returns each charge's seq and balance after it, and the accounts that must be decided: those
    whose balance reached the wake level, or that were given something back.
    """
    seqs: list[int] = []
    afters: list[int] = []
    woken: set[int] = set()
    for account_id, amount in zip(account_ids, amounts, strict=True):
        tally = tallies[account_id]
        tally[0] = balance = tally[0] - amount
        tally[1] = seq = tally[1] + 1
        seqs.append(seq)
        afters.append(balance)
        if balance <= tally[2] or amount < 0:
            woken.add(account_id)
    return seqs, afters, woken


def _charge_one_by_one(
    columns: Columns,
    accounts: dict[int, Account],
    now: datetime,
    *,
    seqs: list[int],
    afters: list[int],
) -> None:
    """Charge the woken accounts anew, deciding on the way; corrects their seqs and afters."""
    for index, account_id in enumerate(columns["account_id"]):
        account = accounts.get(account_id)
        if account is not None:
            seqs[index], afters[index] = account.charge(columns["amount_micro"][index], now)


async def _update(conn: AsyncConnection, tallies: dict[int, list[int]], woken: set[int]) -> None:
    for account_id in woken:
        del tallies[account_id]
    if tallies:
        values = tallies.values()
        await positions.update_tallies(
            conn,
            list(tallies),
            balances_micro=[tally[0] for tally in values],
            seqs=[tally[1] for tally in values],
        )
