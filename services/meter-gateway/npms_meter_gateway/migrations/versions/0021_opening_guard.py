"""How many supplies were opened lately, and whether no more are."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0021"
down_revision = "0020"

STATEMENTS = (
    """
    CREATE TABLE supply_opening (
        installation_id bigint PRIMARY KEY,
        opened_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX supply_opening_at ON supply_opening (opened_at)",
    """
    CREATE TABLE opening_guard (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        counted_from timestamptz,
        stopped_at timestamptz,
        stopped_with bigint
    )
    """,
    "INSERT INTO opening_guard DEFAULT VALUES",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("supply_opening", "opening_guard")
