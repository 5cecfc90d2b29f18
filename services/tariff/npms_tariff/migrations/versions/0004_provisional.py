"""Provisional charges for days without readings, and what settled them."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE provisional (
        installation_id bigint NOT NULL REFERENCES installation,
        day_s bigint NOT NULL,
        end_s bigint NOT NULL CHECK (end_s > day_s),
        adjustment_id uuid NOT NULL UNIQUE,
        plan_version_id bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        lines jsonb NOT NULL,
        charged_at timestamptz NOT NULL,
        settlement_id uuid,
        settled_at timestamptz,
        PRIMARY KEY (installation_id, day_s),
        CHECK ((settlement_id IS NULL) = (settled_at IS NULL))
    )
    """,
    "CREATE INDEX provisional_open ON provisional (installation_id) WHERE settlement_id IS NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("provisional")
