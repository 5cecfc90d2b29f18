"""Billing holds: installations whose register fell, until somebody has looked."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE billing_hold (
        billing_hold_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        installation_id bigint NOT NULL REFERENCES installation,
        account_id bigint NOT NULL,
        taken_at_s bigint NOT NULL,
        register_wh bigint NOT NULL,
        last_wh bigint NOT NULL,
        held_at timestamptz NOT NULL,
        released_at timestamptz,
        released_by text,
        note text,
        CHECK ((released_at IS NULL) = (released_by IS NULL)),
        CHECK ((released_at IS NULL) = (note IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX billing_hold_open ON billing_hold (installation_id)
    WHERE released_at IS NULL
    """,
    "CREATE INDEX billing_hold_of_installation ON billing_hold (installation_id, taken_at_s)",
    "CREATE INDEX billing_hold_of_account ON billing_hold (account_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("billing_hold")
