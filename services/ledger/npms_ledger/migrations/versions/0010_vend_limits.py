"""Of which accounts payments is told again and again, and when it last was."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        CREATE TABLE vend_limits_told (
            account_id bigint PRIMARY KEY REFERENCES account,
            told_at timestamptz NOT NULL,
            again boolean NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX vend_limits_told_at ON vend_limits_told (told_at) WHERE again")
    grant_tables("vend_limits_told")
