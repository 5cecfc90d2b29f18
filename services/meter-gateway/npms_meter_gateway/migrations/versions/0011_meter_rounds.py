"""What slow rounds learned of each meter."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE meter_round (
            installation_id bigint PRIMARY KEY,
            drift_s bigint,
            drift_at timestamptz,
            clock_set_on date,
            log_head text,
            serial text,
            seen_serial text
        )
        """
    )
    grant_tables("meter_round")
