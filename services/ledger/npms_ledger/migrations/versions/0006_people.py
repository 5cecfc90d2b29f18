"""What people do: the audit trail, and money they move, with a second person's word."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE audit_trail (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    by_subject text NOT NULL,
    by_roles text[] NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_trail_subject ON audit_trail (subject, audit_id);
CREATE INDEX audit_trail_by ON audit_trail (by_subject, audit_id);
CREATE TABLE money_request (
    request_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('money_fix', 'transfer', 'reallocation')),
    account_id bigint NOT NULL REFERENCES account,
    to_account_id bigint REFERENCES account CHECK (to_account_id <> account_id),
    payment_id uuid REFERENCES payment,
    amount_micro bigint NOT NULL CHECK (amount_micro <> 0),
    currency text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'posted', 'rejected')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    decided_by text CHECK (decided_by <> requested_by),
    decided_at timestamptz,
    decided_reason text,
    posted_at timestamptz,
    moved_micro bigint,
    journal_id uuid REFERENCES journal,
    CHECK ((state = 'posted') = (journal_id IS NOT NULL)),
    CHECK (state <> 'rejected' OR decided_by IS NOT NULL),
    CHECK (kind <> 'reallocation' OR (payment_id IS NOT NULL AND to_account_id IS NOT NULL)),
    CHECK (kind <> 'reallocation' OR state <> 'posted' OR decided_by IS NOT NULL),
    CHECK (kind = 'money_fix' OR (to_account_id IS NOT NULL AND amount_micro > 0))
);
CREATE INDEX money_request_account ON money_request (account_id);
CREATE UNIQUE INDEX money_request_payment ON money_request (payment_id)
    WHERE payment_id IS NOT NULL AND state <> 'rejected';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    grant_tables("money_request", append_only=("audit_trail",))
