"""Two people: money typed in and suspense allocated wait; a batch is made, printed, activated."""

from alembic import op

from npms_shared.db.migrations import create_moved_alone, grant_tables

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "SET LOCAL lock_timeout = '5s'",
    """
    CREATE TABLE money_request (
        request_id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('payment', 'allocation')),
        amount_micro bigint NOT NULL CHECK (amount_micro > 0),
        currency text NOT NULL,
        source text NOT NULL,
        issuer text NOT NULL,
        reference text NOT NULL,
        account_number text NOT NULL,
        suspense_id uuid REFERENCES suspense_item,
        reason text,
        state text NOT NULL DEFAULT 'requested'
            CHECK (state IN ('requested', 'posted', 'rejected')),
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        decided_reason text,
        payment_id uuid REFERENCES payment,
        CHECK ((state = 'requested') = (decided_by IS NULL)),
        CHECK (state <> 'posted' OR decided_by <> requested_by),
        CHECK (state <> 'posted' OR coalesce(payment_id, suspense_id) IS NOT NULL),
        CHECK (kind = 'payment' OR (suspense_id IS NOT NULL AND reason IS NOT NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX money_request_payment ON money_request (source, issuer, reference)
    WHERE kind = 'payment' AND state = 'requested'
    """,
    """
    CREATE UNIQUE INDEX money_request_allocation ON money_request (suspense_id)
    WHERE kind = 'allocation' AND state = 'requested'
    """,
    """
    ALTER TABLE voucher_batch
        ADD COLUMN printed_at timestamptz,
        ADD COLUMN printed_by text,
        ADD COLUMN rejected_at timestamptz,
        ADD COLUMN rejected_by text,
        ADD COLUMN rejected_reason text,
        DROP CONSTRAINT voucher_batch_state_check
    """,
    # Those made before have their vouchers; who made them was shown the PINs.
    "UPDATE voucher_batch SET state = 'printed', printed_at = created_at WHERE state = 'inactive'",
    """
    ALTER TABLE voucher_batch
        ADD CONSTRAINT voucher_batch_state_check
            CHECK (state IN ('inactive', 'printed', 'active', 'rejected')),
        ADD CONSTRAINT voucher_batch_printer_check CHECK (printed_by <> created_by),
        ADD CONSTRAINT voucher_batch_activator_check
            CHECK (activated_by <> created_by AND activated_by IS DISTINCT FROM printed_by
                   OR activated_by IS NULL) NOT VALID,
        ADD CONSTRAINT voucher_batch_rejected_check
            CHECK ((state = 'rejected') = (rejected_by IS NOT NULL))
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    create_moved_alone()
    grant_tables("money_request")
