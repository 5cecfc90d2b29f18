"""What a supply that is not yet as desired waits for."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "ALTER TABLE supply ADD COLUMN awaits text NOT NULL DEFAULT '' "
        "CHECK (awaits IN ('', 'customer', 'power', 'link'))"
    )
