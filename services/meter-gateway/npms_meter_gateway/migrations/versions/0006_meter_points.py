"""What a meter's slow points last showed, for people to look at."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE meter_state ADD COLUMN points jsonb")
