"""What must always hold in this database, as bounded queries that run on a schedule.

Each looks at 200 installations from a place chosen anew every time; the audit looks at all.
"""

from npms_shared.db.invariants import Rule

_SAMPLE = """
    WITH place AS MATERIALIZED (
        SELECT CAST(
            floor(random() * greatest(coalesce(max(installation_id), 0) - 199, 1)) AS bigint
        ) AS begins
        FROM rating_state
    ), s AS (
        SELECT s.* FROM rating_state s, place
        WHERE s.installation_id >= place.begins ORDER BY s.installation_id LIMIT 200
    )
"""


def _of_sample(name: str, says: str, query: str) -> Rule:
    return Rule(name, says, _SAMPLE + query)


RULES = (
    _of_sample(
        "energy_is_conserved",
        "what was rated is the last register less the opening one",
        """
        SELECT s.installation_id, s.rated_wh, s.register_wh, i.opening_register_wh
        FROM s JOIN installation i USING (installation_id)
        WHERE s.rated_wh <> s.register_wh - i.opening_register_wh LIMIT 20
        """,
    ),
    _of_sample(
        "hours_add_up",
        "the energy and cost of all hours are what was rated and charged",
        """
        SELECT s.installation_id, s.rated_wh, s.charged_micro
        FROM s LEFT JOIN LATERAL (
            SELECT coalesce(sum(u.energy_wh), 0) AS wh, coalesce(sum(u.amount_micro), 0) AS micro
            FROM usage_hour u WHERE u.installation_id = s.installation_id
        ) AS hours ON true
        WHERE (hours.wh + s.hour_wh, hours.micro + s.hour_micro) <> (s.rated_wh, s.charged_micro)
        LIMIT 20
        """,
    ),
    _of_sample(
        "scopes_add_up",
        "the energy in the slots of all scopes is what was rated, and none cost more than charged",
        """
        SELECT s.installation_id, s.rated_wh, s.charged_micro
        FROM s LEFT JOIN LATERAL (
            SELECT coalesce(sum(wh), 0) AS wh FROM rating_scope c, unnest(c.slots) AS wh
            WHERE c.installation_id = s.installation_id
        ) AS closed ON true LEFT JOIN LATERAL (
            SELECT coalesce(sum(c.cost_micro), 0) AS micro FROM rating_scope c
            WHERE c.installation_id = s.installation_id
        ) AS cost ON true LEFT JOIN LATERAL (
            SELECT coalesce(sum(wh), 0) AS wh FROM unnest(s.slots) AS wh
        ) AS opened ON true
        WHERE closed.wh + opened.wh <> s.rated_wh OR cost.micro > s.charged_micro LIMIT 20
        """,
    ),
    _of_sample(
        "parked_readings_are_counted",
        "every reading kept aside is counted on its installation",
        """
        SELECT s.installation_id, s.readings_parked
        FROM s LEFT JOIN LATERAL (
            SELECT count(*) AS n FROM parked_reading p WHERE p.installation_id = s.installation_id
        ) AS kept ON true
        WHERE kept.n <> s.readings_parked LIMIT 20
        """,
    ),
)
