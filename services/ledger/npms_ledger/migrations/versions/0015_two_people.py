"""Two people: grants, opening credit and credit policies wait too; who asked may take it back."""

from alembic import op

from npms_shared.db.migrations import create_moved_alone, grant_tables

revision = "0015"
down_revision = "0014"

STATEMENTS = (
    "ALTER TABLE money_request ADD COLUMN terms jsonb",
    """
    ALTER TABLE money_request
        DROP CONSTRAINT money_request_kind_check,
        DROP CONSTRAINT money_request_check1,
        DROP CONSTRAINT money_request_check6,
        ADD CONSTRAINT money_request_kind_check CHECK (
            kind IN ('money_fix', 'transfer', 'reallocation', 'grant', 'opening_credit')),
        ADD CONSTRAINT money_request_parts_check CHECK (CASE kind
            WHEN 'money_fix' THEN true
            WHEN 'grant' THEN terms IS NOT NULL AND amount_micro > 0
            WHEN 'opening_credit' THEN amount_micro > 0
            ELSE to_account_id IS NOT NULL AND amount_micro > 0 END),
        ADD CONSTRAINT money_request_second_check CHECK (
            state <> 'posted' OR decided_by <> requested_by)
    """,
    """
    CREATE TABLE policy_request (
        request_id uuid PRIMARY KEY,
        code text NOT NULL,
        currency text NOT NULL,
        document jsonb NOT NULL,
        state text NOT NULL DEFAULT 'requested'
            CHECK (state IN ('requested', 'approved', 'rejected')),
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        decided_reason text,
        version int,
        CHECK ((state = 'requested') = (decided_by IS NULL)),
        CHECK ((state = 'approved') = (version IS NOT NULL)),
        CHECK (state <> 'approved' OR decided_by <> requested_by)
    )
    """,
    "CREATE INDEX policy_request_code ON policy_request (code) WHERE state = 'requested'",
    """
    ALTER TABLE credit_policy_version ADD COLUMN approved_by text CHECK (approved_by <> written_by)
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
    create_moved_alone()
    grant_tables("policy_request")
