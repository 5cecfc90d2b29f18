"""Who let relays be worked again that are left alone, and why."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE switching_decision (
            decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            installation_id bigint,
            decision text NOT NULL,
            by_subject text NOT NULL,
            reason text NOT NULL,
            decided_at timestamptz NOT NULL
        )
        """
    )
    grant_tables(append_only=("switching_decision",))
