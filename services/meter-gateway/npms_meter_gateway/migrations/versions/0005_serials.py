"""Meters are found by their serial: readings that are sent to us may name it."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX installation_serial ON installation (serial)")
