"""One open row a parked message, messages without a queue, indexes by time for upkeep."""

from npms_shared.db.migrations import extend_messaging_tables

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    extend_messaging_tables()
