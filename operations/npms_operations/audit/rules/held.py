"""What was not believed waits or was decided of, and nothing was believed without a trace."""

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Snapshots

RULE = "held readings wait or are decided, and each stored register tells what was shown"

_UNTRACED = """
    SELECT h.held_id, h.state, d.decision FROM held_reading h LEFT JOIN LATERAL (
        SELECT decision FROM held_decision WHERE held_id = h.held_id
        ORDER BY decision_id DESC LIMIT 1
    ) d ON true
    WHERE h.state <> coalesce(d.decision, 'held') ORDER BY 1
"""
_NOT_STORED = """
    SELECT h.held_id, d.register_wh, r.register_wh AS stored_wh, h.register_wh AS held_wh,
           o.shown_wh
    FROM held_reading h JOIN held_decision d
        ON d.held_id = h.held_id AND d.decision IN ('released', 'corrected')
    LEFT JOIN reading r USING (installation_id, taken_at)
    LEFT JOIN reading_origin o USING (installation_id, taken_at)
    WHERE (r.register_wh, o.shown_wh, o.held_id)
        IS DISTINCT FROM (d.register_wh, h.register_wh, h.held_id) ORDER BY 1
"""
_UNFOUNDED = """
    SELECT k.installation_id, k.from_at, k.base_wh, r.register_wh
    FROM reckoning k JOIN installation i USING (installation_id) LEFT JOIN reading r
        ON r.installation_id = k.installation_id AND r.taken_at = k.from_at
    WHERE k.base_wh IS DISTINCT FROM coalesce(r.register_wh, CASE
        WHEN k.from_at = date_trunc('second', i.opened_at) THEN i.opening_register_wh END)
    ORDER BY 1, 2
"""
_MADE_UP = """
    SELECT o.installation_id, o.taken_at FROM reading_origin o
    LEFT JOIN reading r USING (installation_id, taken_at) WHERE r.taken_at IS NULL ORDER BY 1, 2
"""
_STATES = "SELECT state, count(*) AS number FROM held_reading GROUP BY state ORDER BY state"


async def check_held(snapshots: Snapshots, _: Options) -> Result:
    """In the gateway alone: what it told of these, the other rules hold against what was rated."""
    result = Result(RULE)
    gateway = snapshots.gateway
    for state, number in await gateway.rows(_STATES):
        result.count(state, number)
    for row in await gateway.rows(_UNTRACED):
        found = f"is {row['state']}, decided was {row['decision']}"
        result.broken(f"held reading {row['held_id']}", found)
    for row in await gateway.rows(_NOT_STORED):
        result.expect(
            f"held reading {row['held_id']}",
            "(validated, shown) Wh",
            found=(row["stored_wh"], row["shown_wh"]),
            expected=(row["register_wh"], row["held_wh"]),
        )
    for row in await gateway.rows(_UNFOUNDED):
        subject = f"installation {row['installation_id']}"
        what = f"Wh where its reckoning begins at {row['from_at']}"
        result.expect(subject, what, found=row["register_wh"], expected=row["base_wh"])
    for row in await gateway.rows(_MADE_UP):
        subject = f"installation {row['installation_id']}"
        result.broken(subject, f"has the origin of a reading at {row['taken_at']}, not the reading")
    return result
