"""Money that comes after a refund is refunded again: an account may have several."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE refund DROP CONSTRAINT refund_account_id_key")
    op.execute("CREATE INDEX refund_account ON refund (account_id)")
