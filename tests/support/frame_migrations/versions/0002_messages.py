"""What the second version of the messaging tables adds."""

from npms_shared.db.migrations import extend_messaging_tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    extend_messaging_tables()
