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
        "of the last 60 days kept by hour, the hours of the whole days are what the days hold",
        """
        SELECT s.installation_id, days.begin_s, hours.wh, hours.micro, days.wh, days.micro
        FROM s CROSS JOIN usage_kept k CROSS JOIN LATERAL (
            SELECT min(d.day_s) AS begin_s, sum(d.wh) AS wh, sum(d.micro) AS micro
            FROM (
                SELECT day_s, energy_wh AS wh, amount_micro AS micro FROM usage_day u
                WHERE u.installation_id = s.installation_id
                UNION ALL SELECT s.day_s, s.day_wh, s.day_micro
            ) AS d WHERE d.day_s >= greatest(k.hours_from_s, s.day_s - 60 * 86400)
        ) AS days CROSS JOIN LATERAL (
            SELECT coalesce(sum(u.energy_wh), 0) AS wh, coalesce(sum(u.amount_micro), 0) AS micro
            FROM usage_hour u
            WHERE u.installation_id = s.installation_id AND u.hour_s >= days.begin_s
        ) AS hours
        WHERE (hours.wh, hours.micro) <> (days.wh, days.micro) LIMIT 20
        """,
    ),
    _of_sample(
        "days_add_up",
        "the energy and cost of all days are those of the months, the running one included",
        """
        SELECT s.installation_id, days.wh, days.micro, months.wh, months.micro
        FROM s CROSS JOIN LATERAL (
            SELECT coalesce(sum(u.energy_wh), 0) AS wh, coalesce(sum(u.amount_micro), 0) AS micro
            FROM usage_day u WHERE u.installation_id = s.installation_id
        ) AS days CROSS JOIN LATERAL (
            SELECT coalesce(sum(u.energy_wh), 0) + s.month_wh AS wh,
                   coalesce(sum(u.amount_micro), 0) + s.month_micro AS micro
            FROM usage_month u WHERE u.installation_id = s.installation_id
        ) AS months
        WHERE (days.wh, days.micro) <> (months.wh, months.micro) LIMIT 20
        """,
    ),
    _of_sample(
        "months_add_up",
        "the energy and cost of all months and what is open are what was rated, charged, corrected",
        """
        SELECT s.installation_id, s.rated_wh, s.charged_micro
        FROM s CROSS JOIN LATERAL (
            SELECT coalesce(sum(u.energy_wh), 0) + s.month_wh + s.day_wh + s.hour_wh AS wh,
                   coalesce(sum(u.amount_micro), 0) + s.month_micro + s.day_micro + s.hour_micro
                       AS micro
            FROM usage_month u WHERE u.installation_id = s.installation_id
        ) AS months CROSS JOIN LATERAL (
            SELECT coalesce(sum(c.amount_micro), 0) AS micro FROM correction_item c
            WHERE c.installation_id = s.installation_id
        ) AS corrected
        WHERE (months.wh, months.micro) <> (s.rated_wh, s.charged_micro + corrected.micro) LIMIT 20
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
        ) AS opened ON true LEFT JOIN LATERAL (
            SELECT coalesce(sum(c.amount_micro), 0) AS micro FROM correction_item c
            WHERE c.installation_id = s.installation_id
        ) AS corrected ON true
        WHERE closed.wh + opened.wh <> s.rated_wh
           OR cost.micro > s.charged_micro + corrected.micro LIMIT 20
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
