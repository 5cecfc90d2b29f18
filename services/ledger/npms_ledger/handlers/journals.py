"""A journal with all its postings, written and sealed at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain import seal
from npms_ledger.storage import postings, seals
from npms_shared.ids import new_id


@dataclass(slots=True)
class Journal:
    """`chain` is where it is sealed. `charges` are the texts of postings.charge_texts, `lines` what
    explains each charge; both in the order of (account_id, seq).
    """

    kind: str
    posted_at: datetime
    chain: str
    payment_id: UUID | None = None
    system: Sequence[postings.SystemRow] = ()
    charges: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()
    entries: Sequence[postings.EntryRow] = ()
    journal_id: UUID = field(default_factory=new_id)
    stands_empty: bool = False
    """Written though no money moved, because something else refers to it."""

    def must_be_written(self) -> bool:
        return bool(self.charges or self.entries or self.system or self.stands_empty)


async def write(conn: AsyncConnection, journal: Journal) -> None:
    """Its locks come last: whoever posts has locked the positions before."""
    journal_id = journal.journal_id
    await postings.insert_journal(
        conn,
        journal_id=journal_id,
        kind=journal.kind,
        posted_at=journal.posted_at,
        payment_id=journal.payment_id,
    )
    await postings.insert_system(conn, journal_id, journal.system)
    if journal.charges:
        await postings.insert_charges(conn, journal_id, journal.charges, lines=journal.lines)
    await postings.insert_entries(conn, journal_id, journal.entries)
    await seals.add(conn, journal_id, chain=journal.chain, digest=digest_of(journal))


def digest_of(journal: Journal) -> bytes:
    head = seal.head_text(
        journal.journal_id,
        journal.kind,
        posted_at=journal.posted_at,
        payment_id=journal.payment_id,
    )
    return seal.digest(
        head,
        system=journal.system,
        charges=journal.charges,
        lines=journal.lines,
        entries=journal.entries,
    )
