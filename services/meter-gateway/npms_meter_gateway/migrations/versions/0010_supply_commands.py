"""Commands to meters, each with its life and its evidence; what a supply still waits for."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    """
    CREATE TABLE supply_command (
        command_id uuid PRIMARY KEY,
        installation_id bigint NOT NULL,
        revision bigint NOT NULL,
        reason text NOT NULL,
        what text NOT NULL CHECK (what IN ('relay', 'load_limit')),
        state text NOT NULL CHECK (state IN ('on', 'off')),
        limit_w bigint,
        life text NOT NULL DEFAULT 'sent' CHECK (life IN (
            'sent', 'acknowledged', 'unanswered', 'confirmed', 'in_vain', 'superseded', 'abandoned'
        )),
        created_at timestamptz NOT NULL,
        answered_at timestamptz,
        answer text,
        closed_at timestamptz,
        before jsonb NOT NULL,
        after jsonb NOT NULL DEFAULT '[]',
        CHECK ((closed_at IS NULL) = (life IN ('sent', 'acknowledged', 'unanswered'))),
        CHECK ((answered_at IS NULL) = (answer IS NULL))
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX supply_command_of_installation ON supply_command (installation_id, command_id)",
    """
    CREATE INDEX supply_command_open ON supply_command (installation_id) WHERE closed_at IS NULL
    """,
    """
    ALTER TABLE supply
        ADD COLUMN awaits text NOT NULL DEFAULT ''
            CHECK (awaits IN ('', 'customer', 'power', 'link')),
        ADD COLUMN suspended_since timestamptz,
        ADD COLUMN moved_at timestamptz,
        ADD COLUMN renew_at timestamptz
    """,
    "CREATE INDEX supply_renewed ON supply (renew_at) WHERE settled AND renew_at IS NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant_tables("supply_command")
