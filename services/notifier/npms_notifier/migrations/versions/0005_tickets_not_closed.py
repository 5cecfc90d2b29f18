"""What holds of tickets that are not closed is asked without looking at those that are."""

from npms_shared.db.migrations import create_index

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_index("ticket_not_closed", "ticket (ticket_id) WHERE state <> 'closed'")
