"""One spelling for each address, and what serials the meters of a profile have.

Where two open installations turn out to have one address, which the unique index does not allow,
the later one keeps its spelling; the gateway refuses its line and raises an alarm.
"""

from alembic import op

from npms_shared.db.respelling import respell_hosts

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE known_profile ADD COLUMN serial_pattern text NOT NULL DEFAULT ''")
    respell_hosts()
