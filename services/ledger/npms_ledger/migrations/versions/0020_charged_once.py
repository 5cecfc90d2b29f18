"""A register interval of an installation is charged once, whatever way the charge comes."""

from npms_shared.db.migrations import create_index

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    create_index(
        "posting_charged_once",
        "posting (installation_id, from_register_wh, from_at) WHERE kind = 'charge'",
        unique=True,
    )
