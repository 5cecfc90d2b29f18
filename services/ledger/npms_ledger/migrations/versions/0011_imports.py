"""Accounts that were taken over from elsewhere."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        CREATE TABLE imported_account (
            external_reference text PRIMARY KEY,
            fingerprint text NOT NULL,
            account_id bigint REFERENCES account,
            imported_by text NOT NULL,
            imported_at timestamptz NOT NULL
        )
        """
    )
    grant_tables("imported_account")
