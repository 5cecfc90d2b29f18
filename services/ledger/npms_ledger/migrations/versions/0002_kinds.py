"""Kinds of postings and buckets for grants, several debts, adjustments and money moved by people.

They are added by themselves: a value of an enumeration cannot be used in the transaction that
adds it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

KINDS = (
    "vend_charge",
    "debt_charge",
    "granted",
    "grant_drawn",
    "grant_expired",
    "correction",
    "provisional",
    "settlement",
    "money_fix",
    "transfer",
    "refund",
    "chargeback",
    "write_off",
)


def upgrade() -> None:
    op.execute("ALTER TYPE bucket ADD VALUE IF NOT EXISTS 'grant'")
    for kind in KINDS:
        op.execute(f"ALTER TYPE posting_kind ADD VALUE IF NOT EXISTS '{kind}'")
