"""Gateways: how each address is reached, and what its line bears."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0003"
down_revision = "0002"

TABLES = (
    """
    CREATE TABLE gateway (
        gateway_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        host text NOT NULL,
        port int NOT NULL CHECK (port > 0),
        transport text NOT NULL DEFAULT 'modbus_tcp'
            CHECK (transport IN ('modbus_tcp', 'rtu_over_tcp', 'serial')),
        device text NOT NULL DEFAULT '',
        baud int NOT NULL DEFAULT 9600 CHECK (baud > 0),
        parity text NOT NULL DEFAULT 'N' CHECK (parity IN ('N', 'E', 'O')),
        site text NOT NULL DEFAULT '',
        depth int NOT NULL DEFAULT 1 CHECK (depth BETWEEN 1 AND 64),
        pause_ms int NOT NULL DEFAULT 0 CHECK (pause_ms >= 0),
        late_window_ms int NOT NULL DEFAULT 500 CHECK (late_window_ms >= 0),
        change bigint NOT NULL DEFAULT nextval('installation_change'),
        UNIQUE (host, port)
    )
    """,
    """
    INSERT INTO gateway (host, port)
    SELECT DISTINCT host, port FROM installation WHERE port > 0
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    grant_tables("gateway")
