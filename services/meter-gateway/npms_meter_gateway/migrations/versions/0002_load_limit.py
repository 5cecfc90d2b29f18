"""The load limit beside the relay's state, desired and reported."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE supply ADD COLUMN desired_limit_w bigint, ADD COLUMN reported_limit_w bigint"
    )
