"""Drafts of plan versions; a version names who wrote it, another than who activated it."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE plan_draft (
        plan_code text NOT NULL REFERENCES plan,
        version int NOT NULL CHECK (version > 0),
        valid_from timestamptz NOT NULL,
        document jsonb NOT NULL,
        checksum text NOT NULL,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        withdrawn_at timestamptz,
        withdrawn_by text,
        PRIMARY KEY (plan_code, version),
        CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
    )
    """,
    # Versions of before drafts have nobody who wrote them.
    "ALTER TABLE plan_version ADD created_at timestamptz, ADD created_by text",
    """
    ALTER TABLE plan_version ADD CONSTRAINT plan_version_two_people
    CHECK (created_by <> activated_by)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("plan_draft")
