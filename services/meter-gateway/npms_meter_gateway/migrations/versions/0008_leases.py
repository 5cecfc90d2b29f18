"""Workers, and which of them speaks to each gateway."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0008"
down_revision = "0007"

TABLES = (
    """
    CREATE TABLE worker (
        worker_id uuid PRIMARY KEY,
        name text NOT NULL,
        expires_at timestamptz NOT NULL
    ) WITH (fillfactor = 50)
    """,
    "ALTER TABLE gateway ADD COLUMN holder uuid REFERENCES worker ON DELETE SET NULL",
    "CREATE INDEX gateway_held ON gateway (holder)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    grant_tables("worker")
