"""The canonical form of a journal, and the digest its seal is made of.

A journal's seal is hash = sha256(hash of the seal before it in its chain ‖ digest), the digest
being sha256 of this text, in UTF-8, its parts on lines of their own:

- `npms seal 1`, journal id, kind, posted_at in microseconds since 1970, payment id or `-`;
- `system`, then `ledger_account currency amount_micro` of each system posting, sorted;
- `charges`, then the postings of kind `charge` in the order of (account_id, seq), as columns: each
  of CHARGE_COLUMNS as `{1, 2, 3}`, amounts as charged, times in epoch seconds; then their lines;
- `entries`, then `account_id seq bucket kind amount_micro after_micro` of every other posting, in
  the same order, and of these `#item_no`, `%tax_micro` and `:label` where it has them.

So it can be made anew from the stored rows. A chain begins with sha256 of its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

CHARGE_COLUMNS = (
    "account_id",
    "seq",
    "amount_micro",
    "after_micro",
    "installation_id",
    "from_register_wh",
    "to_register_wh",
    "from_s",
    "to_s",
    "energy_wh",
    "plan_version_id",
    "tax_micro",
)
CHAINS_OF_ACCOUNTS = 16

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


Entry = tuple[int, int, str, str, int, int, int | None, str, int]
"""(account_id, seq, bucket, kind, amount_micro, after_micro, item_no, label, tax_micro)"""


def account_chain(account_id: int) -> str:
    """The chain of what is posted to one account outside of the charges' batches."""
    return f"accounts.{account_id % CHAINS_OF_ACCOUNTS}"


def charges_chain(partition: int) -> str:
    """The chain of batches of charges whose lowest partition this is: a crew's own."""
    return f"charges.{partition}"


DECISIONS_CHAIN = "decisions"


def head_text(journal_id: UUID, kind: str, *, posted_at: datetime, payment_id: UUID | None) -> str:
    """The first part of the form."""
    at = (posted_at - _EPOCH) // _MICROSECOND
    return f"npms seal 1\n{journal_id}\n{kind}\n{at}\n{payment_id or '-'}"


def entry_text(entry: Entry) -> str:
    """A posting's line in the form."""
    *numbers, item, label, tax_micro = entry
    about = [] if item is None else [f"#{item}"]
    about += [f"%{tax_micro}"] if tax_micro else []
    about += [f":{label}"] if label else []
    return " ".join(map(str, [*numbers, *about]))


def digest(
    head: str,
    *,
    system: Iterable[tuple[str, str, int]],
    charges: Mapping[str, str],
    lines: Sequence[str],
    entries: Iterable[Entry],
) -> bytes:
    """32 bytes. `charges` are the texts of CHARGE_COLUMNS, none when no charge was posted."""
    parts = [head, "system"]
    parts += [f"{name} {currency} {amount}" for name, currency, amount in sorted(system)]
    parts.append("charges")
    if charges:
        parts += [charges[name] for name in CHARGE_COLUMNS]
        parts += lines
    parts.append("entries")
    parts += [entry_text(entry) for entry in sorted(entries, key=lambda entry: entry[:2])]
    return sha256("\n".join(parts).encode()).digest()
