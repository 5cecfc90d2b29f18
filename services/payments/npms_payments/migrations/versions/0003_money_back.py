"""What goes back: the transaction that a reversal names, and suspense that was returned."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "SET LOCAL lock_timeout = '5s'",
    "ALTER TABLE provider_event ADD COLUMN of_txn_id text",
    """
    CREATE INDEX provider_event_by_reversed ON provider_event (provider, of_txn_id)
    WHERE of_txn_id IS NOT NULL
    """,
    """
    CREATE INDEX provider_event_reversals ON provider_event (order_id)
    WHERE fact = 'reversed'
    """,
    """
    ALTER TABLE suspense_item
        ADD COLUMN returned_at timestamptz,
        ADD COLUMN returned_by text,
        ADD COLUMN returned_reason text,
        ADD COLUMN returned_reference text,
        DROP CONSTRAINT suspense_item_state_check,
        ADD CONSTRAINT suspense_item_state_check
            CHECK (state IN ('open', 'allocated', 'returned')) NOT VALID,
        ADD CONSTRAINT suspense_item_returned_check
            CHECK ((state = 'returned') = (returned_at IS NOT NULL)) NOT VALID
    """,
    "ALTER TABLE suspense_item VALIDATE CONSTRAINT suspense_item_state_check",
    "ALTER TABLE suspense_item VALIDATE CONSTRAINT suspense_item_returned_check",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
