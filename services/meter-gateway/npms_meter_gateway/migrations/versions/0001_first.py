"""Installations, readings, the relay's two states, meter events."""

from alembic import op

from npms_shared.db.migrations import create_messaging_tables, grant_application

revision = "0001"
down_revision = None

TABLES = (
    "CREATE SEQUENCE installation_change",
    """
    CREATE TABLE installation (
        installation_id bigint PRIMARY KEY,
        account_id bigint NOT NULL,
        partition int NOT NULL,
        serial text NOT NULL,
        profile text NOT NULL,
        host text NOT NULL,
        port int NOT NULL,
        unit_id int NOT NULL,
        max_power_w bigint NOT NULL,
        opening_register_wh bigint NOT NULL,
        opened_at timestamptz NOT NULL,
        closing_register_wh bigint,
        closed_at timestamptz,
        change bigint NOT NULL DEFAULT nextval('installation_change')
    )
    """,
    # One open installation a meter; port 0 means that its readings are sent to us, not fetched.
    """
    CREATE UNIQUE INDEX installation_of_meter ON installation (host, port, unit_id)
    WHERE closed_at IS NULL AND port > 0
    """,
    """
    CREATE INDEX installation_polled ON installation (change)
    WHERE closed_at IS NULL AND port > 0
    """,
    """
    CREATE TABLE reading (
        installation_id bigint NOT NULL,
        taken_at timestamptz NOT NULL,
        register_wh bigint NOT NULL,
        PRIMARY KEY (installation_id, taken_at)
    )
    """,
    # Counts the transactions that wrote readings of a partition: whoever caches tells by it that
    # somebody else wrote, and its row lock keeps the partition's messages in order.
    """
    CREATE TABLE reading_cursor (
        partition int PRIMARY KEY,
        version bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)
    """,
    "INSERT INTO reading_cursor (partition) SELECT generate_series(0, 255)",
    """
    CREATE TABLE parked_reading (
        parked_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        installation_id bigint NOT NULL,
        taken_at timestamptz NOT NULL,
        register_wh numeric NOT NULL,
        reason text NOT NULL,
        source text NOT NULL,
        parked_at timestamptz NOT NULL,
        UNIQUE (installation_id, taken_at, register_wh, reason)
    )
    """,
    """
    CREATE TABLE supply (
        installation_id bigint PRIMARY KEY,
        account_id bigint NOT NULL,
        desired_state text NOT NULL CHECK (desired_state IN ('on', 'off')),
        desired_revision bigint NOT NULL,
        desired_reason text NOT NULL,
        decided_at timestamptz NOT NULL,
        settled boolean NOT NULL DEFAULT false,
        attempts int NOT NULL DEFAULT 0,
        alarmed boolean NOT NULL DEFAULT false,
        next_try_at timestamptz NOT NULL,
        reported_state text CHECK (reported_state IN ('on', 'off', 'unknown')),
        reported_revision bigint,
        reported_verified boolean,
        reported_detail text,
        reported_at timestamptz
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX supply_unsettled ON supply (next_try_at) WHERE NOT settled",
    """
    CREATE TABLE meter_state (
        installation_id bigint PRIMARY KEY,
        link text NOT NULL DEFAULT 'unknown'
            CHECK (link IN ('unknown', 'reachable', 'unreachable')),
        link_since timestamptz,
        seen_at timestamptz,
        power_w bigint,
        voltage_mv bigint,
        relay text
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE meter_event (
        event_id uuid PRIMARY KEY,
        installation_id bigint NOT NULL,
        account_id bigint NOT NULL,
        kind text NOT NULL,
        detail text NOT NULL,
        raised_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX meter_event_of_installation ON meter_event (installation_id, raised_at)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    create_messaging_tables()
    grant_application(append_only=("reading", "parked_reading", "meter_event"))
