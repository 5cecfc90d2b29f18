"""Alarms: of what was raised, what lasts until it is cleared."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE alarm (
            event_id uuid PRIMARY KEY,
            installation_id bigint NOT NULL,
            account_id bigint NOT NULL,
            kind text NOT NULL,
            detail text NOT NULL,
            raised_at timestamptz NOT NULL,
            cleared_at timestamptz,
            cleared_detail text
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX alarm_open ON alarm (installation_id, kind) WHERE cleared_at IS NULL"
    )
    # Meters that are silent while this is applied: their alarm is open.
    op.execute(
        """
        INSERT INTO alarm (event_id, installation_id, account_id, kind, detail, raised_at)
        SELECT DISTINCT ON (e.installation_id) e.event_id, e.installation_id, e.account_id, e.kind,
               e.detail, e.raised_at
        FROM meter_event e
        JOIN meter_state m ON m.installation_id = e.installation_id AND m.link = 'unreachable'
        WHERE e.kind = 'unreachable'
        ORDER BY e.installation_id, e.event_id DESC
        """
    )
    grant_tables("alarm")
