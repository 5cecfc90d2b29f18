"""Why a supply cannot be worked from here: another meter answers, or nobody can reach it."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE supply ADD COLUMN blocked_by text NOT NULL DEFAULT ''")
