"""The audit trail says in whose name somebody acted."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE audit_trail ADD COLUMN on_behalf_of text NOT NULL DEFAULT ''")
