"""For migrations: hosts of meters that were kept as somebody spelled them."""

from alembic import op
from sqlalchemy import text

from npms_shared.addresses import canonical_host

_HOSTS = text("SELECT DISTINCT host FROM installation WHERE port > 0 ORDER BY host")
_RESPELL = text(
    """
    UPDATE installation i SET host = :canonical
    WHERE i.host = :host AND i.port > 0 AND (i.closed_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM installation o
        WHERE o.closed_at IS NULL
          AND (o.host, o.port, o.unit_id) = (:canonical, i.port, i.unit_id)))
    """
)


def respell_hosts() -> dict[str, str]:
    """Give `installation.host` its one spelling; returns what each became that changed.

    An open installation keeps its own where another has the same port and unit at the canonical
    host: one meter is read twice then, and a person has to say for whom.
    """
    conn, changed = op.get_bind(), dict[str, str]()
    for host in conn.execute(_HOSTS).scalars().all():
        try:
            canonical = canonical_host(host)
        except ValueError:
            continue
        if canonical != host:
            conn.execute(_RESPELL, {"host": host, "canonical": canonical})
            changed[host] = canonical
    return changed
