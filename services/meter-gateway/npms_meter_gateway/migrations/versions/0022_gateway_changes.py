"""Who changed how a gateway is reached; which gateway is read at an address."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0022"
down_revision = "0021"

TABLES = (
    """
    CREATE TABLE gateway_change (
        change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        gateway_id bigint NOT NULL,
        changed_at timestamptz NOT NULL,
        by_subject text NOT NULL,
        before jsonb NOT NULL,
        after jsonb NOT NULL
    )
    """,
    "CREATE INDEX gateway_change_of ON gateway_change (gateway_id, change_id)",
    "CREATE INDEX gateway_peer ON gateway (peer, port) WHERE peer <> ''",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES:
        op.execute(statement)
    grant_tables(append_only=("gateway_change",))
