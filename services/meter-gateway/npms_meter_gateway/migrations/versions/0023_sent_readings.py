"""Readings that were sent for a meter that is polled bear a mark."""

from alembic import op

revision = "0023"
down_revision = "0022"

STATEMENTS = (
    "SET LOCAL lock_timeout = '5s'",
    "ALTER TABLE reading_origin DROP CONSTRAINT reading_origin_how_check",
    """
    ALTER TABLE reading_origin ADD CONSTRAINT reading_origin_how_check
        CHECK (how IN ('released', 'corrected', 'ratio', 'sent'))
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
