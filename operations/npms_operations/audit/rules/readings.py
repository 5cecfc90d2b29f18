"""Every accepted reading was billed, or is parked with a reason."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Snapshots

Parked = tuple[Any, ...]
"""(installation, epoch seconds, register in Wh)"""

RULE = "every accepted reading is billed or parked"
CHUNK = 20_000

_ACCEPTED = """
    SELECT installation_id, count(*) AS readings FROM reading
    GROUP BY installation_id ORDER BY installation_id
"""
_BILLED = """
    SELECT installation_id, readings_billed FROM rating_state ORDER BY installation_id
"""
_PARKED = """
    SELECT DISTINCT installation_id, taken_at_s, register_wh FROM parked_reading
"""
_ARE_ACCEPTED = """
    SELECT p.id, p.at_s, p.register_wh
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS p (id, at_s, register_wh)
    JOIN reading r ON (r.installation_id, r.taken_at, r.register_wh)
        = (p.id, to_timestamp(p.at_s), p.register_wh)
"""
_ARE_CHARGED = """
    SELECT DISTINCT p.id, p.at_s, p.register_wh
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS p (id, at_s, register_wh)
    JOIN installation i ON i.installation_id = p.id
    JOIN posting c ON (c.account_id, c.installation_id, c.to_at, c.to_register_wh)
        = (i.account_id, p.id, to_timestamp(p.at_s), p.register_wh)
"""
_REASONS = "SELECT reason, count(*) AS number FROM parked_reading GROUP BY reason ORDER BY reason"
_HELD = """
    SELECT reason, count(*) AS number FROM held_reading WHERE state = 'held'
    GROUP BY reason ORDER BY reason
"""
_CODES = "SELECT code, count(*) AS number FROM parked_charge GROUP BY code ORDER BY code"


async def check_readings(snapshots: Snapshots, _: Options) -> Result:
    """Counts of each installation; of what tariff parked, only what the gateway had accepted.

    A reading heard a second time is parked although it was billed. That a charge ends
    at it tells; where it cost nothing nothing tells, so less may be missing than is parked.
    """
    result = Result(RULE)
    parked = await _parked_of_accepted(snapshots)
    streams = snapshots.gateway.stream(_ACCEPTED), snapshots.tariff.stream(_BILLED)
    async for installation_id, (accepted, billed) in merged(*streams):
        readings = accepted["readings"] if accepted is not None else 0
        rated = billed["readings_billed"] if billed is not None else 0
        result.count("installations")
        result.count("readings", readings)
        if not 0 <= readings - rated <= parked[installation_id]:
            found = f"{rated} billed and {parked[installation_id]} parked"
            result.broken(f"installation {installation_id}", f"{readings} accepted, {found}")
    result.count("parked", parked.total())
    for word, snapshot, query in (
        ("readings held by the gateway", snapshots.gateway, _HELD),
        ("readings parked by tariff", snapshots.tariff, _REASONS),
        ("charges parked by the ledger", snapshots.ledger, _CODES),
    ):
        reasons = [f"{number} {reason}" for reason, number in await snapshot.rows(query)]
        if reasons:
            result.notes.append(f"{word}: {', '.join(reasons)}")
    return result


async def _parked_of_accepted(snapshots: Snapshots) -> Counter[int]:
    """How many of an installation's accepted readings tariff set aside and never charged."""
    found: Counter[int] = Counter()
    waiting: list[Parked] = []
    async for row in snapshots.tariff.stream(_PARKED):
        waiting.append(tuple(row))
        if len(waiting) == CHUNK:
            found.update(await _uncharged(snapshots, waiting))
            waiting = []
    found.update(await _uncharged(snapshots, waiting))
    return found


async def _uncharged(snapshots: Snapshots, parked: list[Parked]) -> list[int]:
    """Installations of those that were accepted and that no charge ends at, one each."""
    accepted = await snapshots.gateway.rows(_ARE_ACCEPTED, *_columns(parked))
    charged = await snapshots.ledger.rows(_ARE_CHARGED, *_columns(accepted))
    return [row[0] for row in {tuple(row) for row in accepted} - {tuple(row) for row in charged}]


def _columns(rows: Sequence[Any]) -> list[list[int]]:
    return [[row[i] for row in rows] for i in range(3)]
