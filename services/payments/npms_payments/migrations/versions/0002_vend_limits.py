"""What the ledger tells of an account's limits and balance."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        """
        ALTER TABLE account
            ADD COLUMN vend_min_micro bigint,
            ADD COLUMN vend_max_micro bigint,
            ADD COLUMN max_balance_micro bigint,
            ADD COLUMN limits_at timestamptz,
            ADD COLUMN balance_micro bigint,
            ADD COLUMN balance_at timestamptz
        """
    )
    op.execute(
        """
        CREATE INDEX payment_uncredited_of_account ON payment (account_id)
        WHERE settled_at IS NOT NULL AND credited_at IS NULL
        """
    )
