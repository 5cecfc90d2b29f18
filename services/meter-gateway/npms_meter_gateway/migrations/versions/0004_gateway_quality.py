"""How each gateway's line has been doing, by the hour."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE gateway_quality (
            gateway_id bigint NOT NULL,
            hour timestamptz NOT NULL,
            asked bigint NOT NULL,
            answered bigint NOT NULL,
            timeouts bigint NOT NULL,
            exceptions bigint NOT NULL,
            drops bigint NOT NULL,
            bad_answers bigint NOT NULL,
            busy_ms bigint NOT NULL,
            PRIMARY KEY (gateway_id, hour)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute("CREATE INDEX gateway_quality_hour ON gateway_quality (hour)")
    grant_tables("gateway_quality")
