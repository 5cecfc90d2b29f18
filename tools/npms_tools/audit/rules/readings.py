"""Every accepted reading was billed, or is parked with a reason."""

from collections import Counter

from npms_tools.audit.findings import Result
from npms_tools.audit.merging import merged
from npms_tools.audit.proof import Options
from npms_tools.audit.snapshots import Snapshots

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
    SELECT r.installation_id, count(*) AS readings
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS p (id, at_s, register_wh)
    JOIN reading r ON (r.installation_id, r.taken_at, r.register_wh)
        = (p.id, to_timestamp(p.at_s), p.register_wh)
    GROUP BY r.installation_id
"""
_REASONS = "SELECT reason, count(*) AS number FROM parked_reading GROUP BY reason ORDER BY reason"
_CODES = "SELECT code, count(*) AS number FROM parked_charge GROUP BY code ORDER BY code"


async def check_readings(snapshots: Snapshots, _: Options) -> Result:
    """Counts of each installation; of what tariff parked, only what the gateway had accepted.

    A reading that is heard a second time is parked although it was billed, so what
    is not billed must be parked, but not the other way round.
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
        ("readings refused by the gateway", snapshots.gateway, _REASONS),
        ("readings parked by tariff", snapshots.tariff, _REASONS),
        ("charges parked by the ledger", snapshots.ledger, _CODES),
    ):
        reasons = [f"{number} {reason}" for reason, number in await snapshot.rows(query)]
        if reasons:
            result.notes.append(f"{word}: {', '.join(reasons)}")
    return result


async def _parked_of_accepted(snapshots: Snapshots) -> Counter[int]:
    """How many of an installation's accepted readings tariff set aside."""
    found: Counter[int] = Counter()
    columns: tuple[list[int], list[int], list[int]] = ([], [], [])

    async def match() -> None:
        for row in await snapshots.gateway.rows(_ARE_ACCEPTED, *columns):
            found[row["installation_id"]] += row["readings"]
        for column in columns:
            column.clear()

    async for row in snapshots.tariff.stream(_PARKED):
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        if len(columns[0]) == CHUNK:
            await match()
    await match()
    return found
