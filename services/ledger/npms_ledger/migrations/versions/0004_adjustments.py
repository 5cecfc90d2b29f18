"""What corrections, provisional charges and settlements were for."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0004"
down_revision = "0003"

TABLE = """
CREATE TABLE adjustment (
    adjustment_id uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    seq bigint,
    journal_id uuid NOT NULL REFERENCES journal,
    installation_id bigint NOT NULL REFERENCES installation,
    kind text NOT NULL CHECK (kind IN ('correction', 'provisional', 'settlement')),
    plan_version_id bigint NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    energy_wh bigint NOT NULL,
    amount_micro bigint NOT NULL,
    tax_micro bigint NOT NULL,
    lines text NOT NULL,
    reason text NOT NULL,
    told_at timestamptz NOT NULL,
    UNIQUE (account_id, seq),
    CHECK ((seq IS NULL) = (amount_micro = 0))
)
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(TABLE)
    grant_tables(append_only=("adjustment",))
