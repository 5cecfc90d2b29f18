"""What a partner may sell in a day, and has sold."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE partner_limit (
        partner_id text NOT NULL,
        currency text NOT NULL,
        version int NOT NULL,
        day_limit_micro bigint NOT NULL CHECK (day_limit_micro >= 0),
        reason text NOT NULL,
        set_at timestamptz NOT NULL,
        set_by text NOT NULL,
        PRIMARY KEY (partner_id, currency, version)
    )
    """,
    """
    CREATE TABLE partner_day (
        partner_id text NOT NULL,
        currency text NOT NULL,
        day date NOT NULL,
        sold_micro bigint NOT NULL DEFAULT 0 CHECK (sold_micro >= 0),
        PRIMARY KEY (partner_id, currency, day)
    ) WITH (fillfactor = 50)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("partner_day", append_only=("partner_limit",))
