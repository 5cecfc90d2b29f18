"""What people do here is kept: who, in whose name, what, when and why."""

from alembic import op

from npms_shared.db.migrations import create_audit_trail

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    create_audit_trail()
