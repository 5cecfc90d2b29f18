"""Reads that people ask for, passed to whichever process holds the meter's gateway."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    """
    CREATE TABLE read_request (
        request_id uuid PRIMARY KEY,
        installation_id bigint NOT NULL,
        give_up_at timestamptz NOT NULL,
        taken_by uuid,
        answer jsonb
    )
    """,
    "CREATE INDEX read_request_waiting ON read_request (give_up_at) WHERE taken_by IS NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("read_request")
