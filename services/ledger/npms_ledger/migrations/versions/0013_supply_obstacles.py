"""Why the gateway does not work a supply toward what is desired."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE supply ADD COLUMN blocked_by text NOT NULL DEFAULT ''")
