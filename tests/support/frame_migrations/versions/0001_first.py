"""The messaging tables, and one to see effects in."""

from alembic import op

from npms_shared.db.migrations import create_messaging_tables, grant_application

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE effect (id bigserial PRIMARY KEY, partition int, item bigint NOT NULL)"
    )
    create_messaging_tables()
    grant_application()
