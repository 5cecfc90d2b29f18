"""What a plan's discounts and free units go by, of each account."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE account ADD COLUMN customer_class text NOT NULL DEFAULT ''")
