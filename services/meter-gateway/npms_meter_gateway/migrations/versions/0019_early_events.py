"""Openings and closings that came before what they follow."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE early_event (
            installation_id bigint NOT NULL,
            kind text NOT NULL CHECK (kind IN ('opened', 'closed')),
            port int,
            unit_id int,
            event jsonb NOT NULL,
            heard_at timestamptz NOT NULL,
            PRIMARY KEY (installation_id, kind)
        )
        """
    )
    grant_tables("early_event")
