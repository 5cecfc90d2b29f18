"""What an installation used is charged once, by whatever way the charge comes.

Energy is told by the register at which its charge begins, since charges follow each other without
a gap. What is charged without energy (by the day, or up to a minimum when a plan's version ends)
begins where the next charge begins too, and is told by its two instants.
"""

from npms_shared.db.migrations import create_index

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    create_index(
        "posting_charged_once",
        "posting (installation_id, from_register_wh) WHERE energy_wh <> 0",
        unique=True,
    )
    create_index(
        "posting_charged_without_energy_once",
        "posting (installation_id, from_at, to_at) WHERE energy_wh = 0",
        unique=True,
    )
