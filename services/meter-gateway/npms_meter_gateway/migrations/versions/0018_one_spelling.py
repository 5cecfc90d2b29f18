"""One spelling for each address, and so one gateway; by what address a line was opened.

Where two open installations turn out to have one address, the later one keeps its gateway: its line
is refused where it leads to the same address, and told of by an alarm.
"""

from alembic import op
from sqlalchemy import text

from npms_shared.db.respelling import respell_hosts

revision = "0018"
down_revision = "0017"

MERGE = (
    """
    UPDATE gateway g SET host = :canonical, change = nextval('installation_change')
    WHERE g.host = :host
      AND NOT EXISTS (SELECT FROM installation i
                      WHERE (i.host, i.port) = (g.host, g.port) AND i.closed_at IS NULL)
      AND NOT EXISTS (SELECT FROM gateway o WHERE (o.host, o.port) = (:canonical, g.port))
    """,
    """
    INSERT INTO gateway (host, port, transport, device, baud, parity, site, depth, pause_ms,
                         late_window_ms)
    SELECT :canonical, port, transport, device, baud, parity, site, depth, pause_ms, late_window_ms
    FROM gateway WHERE host = :host
    ON CONFLICT (host, port) DO NOTHING
    """,
    """
    DELETE FROM gateway g
    WHERE g.host = :host
      AND NOT EXISTS (SELECT FROM installation i
                      WHERE (i.host, i.port) = (g.host, g.port) AND i.closed_at IS NULL)
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE gateway ADD COLUMN peer text NOT NULL DEFAULT ''")
    for host, canonical in respell_hosts().items():
        for statement in MERGE:
            op.get_bind().execute(text(statement), {"host": host, "canonical": canonical})
