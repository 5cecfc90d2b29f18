"""What a plan is for; unknown of those that were activated before it was told."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE known_plan_version ADD COLUMN commodity text")
