"""Corrections: asked for by one, approved by another, worked off installation by installation."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """
    CREATE TABLE correction (
        correction_id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('plan', 'readings', 'clock')),
        plan_version_id bigint REFERENCES plan_version,
        installation_id bigint REFERENCES installation,
        request jsonb NOT NULL,
        reason text NOT NULL,
        state text NOT NULL CHECK (state IN ('requested', 'rejected', 'approved', 'done')),
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        reached_id bigint NOT NULL DEFAULT 0,
        corrected int NOT NULL DEFAULT 0,
        refused int NOT NULL DEFAULT 0,
        finished_at timestamptz,
        CHECK ((kind = 'plan') = (plan_version_id IS NOT NULL)),
        CHECK ((kind = 'plan') = (installation_id IS NULL)),
        CHECK ((state = 'requested') = (decided_by IS NULL)),
        CHECK (state NOT IN ('approved', 'done') OR decided_by <> requested_by)
    )
    """,
    "CREATE INDEX correction_to_do ON correction (decided_at) WHERE state = 'approved'",
    """
    CREATE TABLE correction_item (
        correction_id uuid NOT NULL REFERENCES correction,
        installation_id bigint NOT NULL REFERENCES installation,
        account_id bigint NOT NULL,
        currency text NOT NULL,
        amount_micro bigint NOT NULL,
        months jsonb NOT NULL,
        before jsonb NOT NULL,
        refusal text,
        corrected_at timestamptz NOT NULL,
        PRIMARY KEY (correction_id, installation_id)
    )
    """,
    "CREATE INDEX correction_item_of_installation ON correction_item (installation_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    # A scope is as corrected; what it was before stands in the correction's record.
    grant_tables("correction", "rating_scope", append_only=("correction_item",))
