"""Suspense that goes back by hand is asked for by one person and agreed to by another."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "SET LOCAL lock_timeout = '5s'",
    """
    ALTER TABLE money_request
        ADD COLUMN returned_reference text,
        DROP CONSTRAINT money_request_kind_check,
        ADD CONSTRAINT money_request_kind_check CHECK (kind IN ('payment', 'allocation', 'return')),
        ADD CONSTRAINT money_request_return_check
            CHECK ((kind = 'return') = (returned_reference IS NOT NULL))
    """,
    "DROP INDEX money_request_allocation",
    """
    CREATE UNIQUE INDEX money_request_suspense ON money_request (suspense_id)
    WHERE kind <> 'payment' AND state = 'requested'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
