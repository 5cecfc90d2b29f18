"""Feeders: what they deliver is compared with the sum of their members, day by day."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0012"
down_revision = "0011"

TABLES = (
    """
    CREATE TABLE feeder (
        installation_id bigint PRIMARY KEY REFERENCES installation,
        tolerance_ppm int NOT NULL CHECK (tolerance_ppm BETWEEN 0 AND 1000000),
        time_zone text NOT NULL,
        changed_by text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE feeder_member (
        feeder_id bigint NOT NULL REFERENCES feeder,
        member_id bigint NOT NULL REFERENCES installation,
        PRIMARY KEY (feeder_id, member_id),
        CHECK (feeder_id <> member_id)
    )
    """,
    # Each day is judged once; what is told of it stays as it was told.
    """
    CREATE TABLE feeder_day (
        feeder_id bigint NOT NULL REFERENCES feeder,
        day date NOT NULL,
        feeder_wh bigint,
        members_wh bigint NOT NULL,
        missing bigint[] NOT NULL,
        is_beyond boolean,
        judged_at timestamptz NOT NULL,
        PRIMARY KEY (feeder_id, day)
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    grant_tables("feeder", "feeder_member", append_only=("feeder_day",))
