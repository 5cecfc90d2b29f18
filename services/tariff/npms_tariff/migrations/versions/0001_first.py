"""Plans, installations, rating state, closed scopes, usage by hour, parked readings."""

from alembic import op

from npms_shared.db.migrations import create_messaging_tables, grant_application

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE plan (
        plan_code text PRIMARY KEY,
        name text NOT NULL,
        commodity text NOT NULL,
        currency text NOT NULL,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL
    )
    """,
    """
    CREATE TABLE plan_version (
        plan_version_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        plan_code text NOT NULL REFERENCES plan,
        version int NOT NULL CHECK (version > 0),
        valid_from timestamptz NOT NULL,
        document jsonb NOT NULL,
        checksum text NOT NULL,
        activated_at timestamptz NOT NULL,
        activated_by text NOT NULL,
        UNIQUE (plan_code, version)
    )
    """,
    """
    CREATE TABLE installation (
        installation_id bigint PRIMARY KEY,
        account_id bigint NOT NULL,
        customer_id bigint NOT NULL,
        plan_code text NOT NULL REFERENCES plan,
        commodity text NOT NULL,
        currency text NOT NULL,
        time_zone text NOT NULL,
        opening_register_wh bigint NOT NULL,
        opened_at timestamptz NOT NULL,
        closing_register_wh bigint,
        closed_at timestamptz,
        CHECK ((closed_at IS NULL) = (closing_register_wh IS NULL))
    )
    """,
    "CREATE INDEX installation_by_account ON installation (account_id)",
    # No index but the key, and room in every page: all updates stay heap-only.
    """
    CREATE TABLE rating_state (
        installation_id bigint PRIMARY KEY REFERENCES installation,
        version bigint NOT NULL,
        register_wh bigint NOT NULL,
        read_at_s bigint NOT NULL,
        rated_wh bigint NOT NULL,
        charged_micro bigint NOT NULL,
        readings_billed bigint NOT NULL,
        readings_parked bigint NOT NULL,
        plan_version_id bigint NOT NULL,
        month int NOT NULL,
        days int NOT NULL,
        paid_until_s bigint NOT NULL,
        hour_s bigint NOT NULL,
        hour_wh bigint NOT NULL,
        hour_micro bigint NOT NULL,
        slots bigint[] NOT NULL
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)
    """,
    """
    CREATE TABLE rating_scope (
        installation_id bigint NOT NULL,
        plan_version_id bigint NOT NULL,
        month int NOT NULL,
        slots bigint[] NOT NULL,
        days int NOT NULL,
        cost_micro bigint NOT NULL,
        PRIMARY KEY (installation_id, plan_version_id, month)
    )
    """,
    """
    CREATE TABLE usage_hour (
        installation_id bigint NOT NULL,
        hour_s bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (installation_id, hour_s)
    )
    """,
    """
    CREATE TABLE parked_reading (
        parked_reading_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        installation_id bigint NOT NULL,
        account_id bigint NOT NULL,
        taken_at_s bigint NOT NULL,
        register_wh bigint NOT NULL,
        reason text NOT NULL,
        parked_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX parked_reading_by_installation ON parked_reading (installation_id)",
)


def upgrade() -> None:
    create_messaging_tables()
    for statement in STATEMENTS:
        op.execute(statement)
    grant_application(append_only=("plan", "plan_version", "rating_scope", "parked_reading"))
