"""Who said that another meter is the right one, and why."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE serial_decision (
            decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            installation_id bigint NOT NULL,
            was text NOT NULL,
            serial text NOT NULL,
            by_subject text NOT NULL,
            reason text NOT NULL,
            decided_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX serial_decision_of ON serial_decision (installation_id)")
    grant_tables(append_only=("serial_decision",))
