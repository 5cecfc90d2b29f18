"""A pause that nobody chose is the transport's own: RTU needs one, Modbus/TCP none."""

from alembic import op

revision = "0016"
down_revision = "0015"

CHANGES = (
    "ALTER TABLE gateway ALTER COLUMN pause_ms DROP NOT NULL, ALTER COLUMN pause_ms DROP DEFAULT",
    """
    UPDATE gateway SET pause_ms = NULL, change = nextval('installation_change')
    WHERE pause_ms = 0
    """,
)


def upgrade() -> None:
    for statement in CHANGES:
        op.execute(statement)
