"""When rating of a closed installation ended: from then on its closing register is final."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE installation ADD COLUMN rating_ended_at timestamptz")
    op.execute(
        "UPDATE installation SET rating_ended_at = closed_at WHERE closed_at IS NOT NULL"
    )  # as was taken for granted; where it was not so, tariff tells it again
