"""Who decided what of parked and unroutable messages."""

from npms_shared.db.migrations import create_audit_trail

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create_audit_trail()
