"""Journals are as they were sealed: hashes made anew, chain by chain, from the stored rows."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "journals are as they were sealed"

_JOURNALS = """
    SELECT j.journal_id, j.kind, j.payment_id, s.digest,
           CAST(extract(epoch FROM j.posted_at) * 1000000 AS bigint) AS posted_us
    FROM journal j LEFT JOIN seal s USING (journal_id) ORDER BY j.journal_id
"""
_SYSTEM = """
    SELECT journal_id, ledger_account, currency, amount_micro FROM system_posting
    ORDER BY journal_id
"""
_POSTINGS = """
    SELECT journal_id, account_id, seq, CAST(bucket AS text) AS bucket, CAST(kind AS text) AS kind,
           amount_micro, after_micro, installation_id, from_register_wh, to_register_wh,
           CAST(extract(epoch FROM from_at) AS bigint) AS from_s,
           CAST(extract(epoch FROM to_at) AS bigint) AS to_s,
           energy_wh, plan_version_id, tax_micro, lines, item_no, label
    FROM posting ORDER BY journal_id, account_id, seq
"""
_SEALS = "SELECT chain, seq, journal_id, digest, prev_hash, hash FROM seal ORDER BY chain, seq"
_HEADS = "SELECT chain, seq, hash FROM seal_head"
_GONE = """
    SELECT journal_id FROM seal s
    WHERE NOT EXISTS (SELECT FROM journal j WHERE j.journal_id = s.journal_id)
"""
_COLUMNS = (
    "installation_id",
    "from_register_wh",
    "to_register_wh",
    "from_s",
    "to_s",
    "energy_wh",
    "plan_version_id",
    "tax_micro",
)


@dataclass(slots=True)
class _Chain:
    """Where one chain has come to."""

    hash: bytes
    seq: int = 0


@dataclass(slots=True)
class _Rows:
    """The rows of a stream, journal by journal; both sides ascend by journal."""

    stream: AsyncIterator[Row]
    ahead: Row | None = field(default=None)
    begun: bool = field(default=False)

    async def of(self, journal_id: UUID) -> list[Row]:
        """Those of this journal; what belongs to journals that are not there is passed over."""
        if not self.begun:
            self.ahead, self.begun = await anext(self.stream, None), True
        found: list[Row] = []
        while self.ahead is not None and self.ahead["journal_id"] <= journal_id:
            if self.ahead["journal_id"] == journal_id:
                found.append(self.ahead)
            self.ahead = await anext(self.stream, None)
        return found


async def check_seals(snapshots: Snapshots, _: Options) -> Result:
    """Every journal against its digest, every seal against the one before it, every head."""
    result = Result(RULE)
    await _check_journals(result, snapshots)
    for row in await snapshots.ledger.rows(_GONE):
        result.broken(f"journal {row['journal_id']}", "was sealed and is gone")
    await _check_chains(result, snapshots)
    return result


async def _check_journals(result: Result, snapshots: Snapshots) -> None:
    system = _Rows(snapshots.ledger.stream(_SYSTEM))
    postings = _Rows(snapshots.ledger.stream(_POSTINGS))
    async for journal in snapshots.ledger.stream(_JOURNALS):
        journal_id = journal["journal_id"]
        made = _digest(journal, await system.of(journal_id), await postings.of(journal_id))
        result.count("journals")
        subject = f"journal {journal_id}"
        if journal["digest"] is None:
            result.broken(subject, "has no seal")
        elif journal["digest"] != made:
            result.broken(subject, "is not as it was sealed")


async def _check_chains(result: Result, snapshots: Snapshots) -> None:
    chains: dict[str, _Chain] = {}
    async for seal in snapshots.ledger.stream(_SEALS):
        name = seal["chain"]
        chain = chains.setdefault(name, _Chain(sha256(name.encode()).digest()))
        subject = f"journal {seal['journal_id']}"
        if (seal["seq"], seal["prev_hash"]) != (chain.seq + 1, chain.hash):
            result.broken(subject, f"its seal does not follow the one before it in chain {name}")
        if seal["hash"] != sha256(seal["prev_hash"] + seal["digest"]).digest():
            result.broken(subject, "its seal is not what its parts make")
        chain.hash, chain.seq = seal["hash"], seal["seq"]
    result.count("chains", len(chains))
    heads = {row["chain"]: row for row in await snapshots.ledger.rows(_HEADS)}
    for name in sorted({*chains, *heads}):
        _check_head(result, name, chains.get(name), heads.get(name))


def _check_head(result: Result, name: str, chain: _Chain | None, head: Row | None) -> None:
    last = None if chain is None else (chain.seq, chain.hash)
    told = None if head is None else (head["seq"], head["hash"])
    if last != told:
        result.broken(f"chain {name}", "its head is not its last seal")


def _digest(journal: Row, system: Iterable[Row], postings: list[Row]) -> bytes:
    charges = [row for row in postings if row["kind"] == "charge"]
    parts = [
        "npms seal 1",
        str(journal["journal_id"]),
        journal["kind"],
        str(journal["posted_us"]),
        str(journal["payment_id"] or "-"),
        "system",
        *_system_lines(system),
        "charges",
        *(_columns(charges) if charges else ()),
        "entries",
        *(_entry(row) for row in postings if row["kind"] != "charge"),
    ]
    return sha256("\n".join(parts).encode()).digest()


def _system_lines(system: Iterable[Row]) -> list[str]:
    """A line for each system posting, by ledger account and currency."""
    rows = [(row["ledger_account"], row["currency"], row["amount_micro"]) for row in system]
    return [f"{name} {currency} {amount}" for name, currency, amount in sorted(rows)]


def _columns(charges: list[Row]) -> list[str]:
    columns: list[list[Any]] = [
        [row["account_id"] for row in charges],
        [row["seq"] for row in charges],
        [-row["amount_micro"] for row in charges],
        [row["after_micro"] for row in charges],
        *([row[name] for row in charges] for name in _COLUMNS),
    ]
    texts = ["{" + ", ".join(map(str, column)) + "}" for column in columns]
    return [*texts, *(row["lines"] for row in charges)]


def _entry(row: Row) -> str:
    names = ("account_id", "seq", "bucket", "kind", "amount_micro", "after_micro")
    marks = (("#", "item_no"), ("%", "tax_micro"), (":", "label"))
    about = [f"{mark}{row[name]}" for mark, name in marks if row[name] is not None]
    return " ".join(map(str, [*(row[name] for name in names), *about]))
