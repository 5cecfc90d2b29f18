"""What plans used before it was rolled up."""

from alembic import op

revision = "0009"
down_revision = "0008"

PARTITION = -1
"""That of no readings: nobody adds to these rows."""
PLACED = """
    CREATE TEMPORARY TABLE plan_usage_of_before ON COMMIT DROP AS
    WITH versions AS (
        SELECT plan_version_id, plan_code,
               CASE WHEN row_number() OVER plan = 1 THEN 0
                   ELSE extract(epoch FROM valid_from) END AS from_s,
               coalesce(extract(epoch FROM lead(valid_from) OVER plan), 'infinity') AS upto_s
        FROM plan_version WINDOW plan AS (PARTITION BY plan_code ORDER BY valid_from, version)
    )
    SELECT v.plan_version_id, u.hour_s,
           CAST(to_char(to_timestamp(u.hour_s) AT TIME ZONE i.time_zone, 'YYYYMMDD') AS int) AS day,
           count(*) AS hours, sum(u.energy_wh) AS energy_wh, sum(u.amount_micro) AS amount_micro
    FROM usage_hour u JOIN installation i USING (installation_id) JOIN versions v
        ON v.plan_code = i.plan_code AND u.hour_s >= v.from_s AND u.hour_s < v.upto_s
    WHERE u.hour_s < coalesce((SELECT min(hour_s) FROM usage_plan_hour), u.hour_s + 1)
    GROUP BY 1, 2, 3
"""
"""Hours of before the first that was rolled up, by the version in force when they began."""


def upgrade() -> None:
    op.execute(PLACED)
    for table, at in (("usage_plan_hour", "hour_s"), ("usage_plan_day", "day")):
        op.execute(
            f"""
            INSERT INTO {table} (plan_version_id, {at}, partition, installation_hours, energy_wh,
                                 amount_micro)
            SELECT plan_version_id, {at}, {PARTITION}, sum(hours), sum(energy_wh), sum(amount_micro)
            FROM plan_usage_of_before GROUP BY plan_version_id, {at}
            """  # noqa: S608 - names of this module
        )
