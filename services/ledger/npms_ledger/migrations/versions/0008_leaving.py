"""Those who leave: accounts that wait for their final charge, and what is refunded to them."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0008"
down_revision = "0007"

TABLES = """
ALTER TABLE account ADD COLUMN leaving_at timestamptz;
CREATE UNIQUE INDEX installation_usage_point ON installation (usage_point_id)
    WHERE closed_at IS NULL;
CREATE TABLE refund (
    refund_id uuid PRIMARY KEY,
    account_id bigint NOT NULL UNIQUE REFERENCES account,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    currency text NOT NULL,
    payee text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('payable', 'paid')),
    journal_id uuid NOT NULL REFERENCES journal,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    reference text,
    paid_by text CHECK (paid_by <> requested_by),
    paid_at timestamptz,
    paid_journal_id uuid REFERENCES journal,
    CHECK ((state = 'paid') = (paid_by IS NOT NULL AND reference IS NOT NULL
                               AND paid_journal_id IS NOT NULL))
)
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    grant_tables("refund")
