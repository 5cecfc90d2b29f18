"""Usage by hour a partition a month, by day and by month; a plan's usage by hour and by day."""

from alembic import context, op

from npms_shared.db.migrations import grant_tables

revision = "0005"
down_revision = "0004"

HOURS = (
    # What there is becomes the default partition as it lies; it is moved into its months below.
    "ALTER TABLE usage_hour RENAME TO usage_hour_rest",
    "ALTER TABLE usage_hour_rest RENAME CONSTRAINT usage_hour_pkey TO usage_hour_rest_pkey",
    """
    CREATE TABLE usage_hour (
        installation_id bigint NOT NULL,
        hour_s bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (installation_id, hour_s)
    ) PARTITION BY RANGE (hour_s)
    """,
    "ALTER TABLE usage_hour ATTACH PARTITION usage_hour_rest DEFAULT",
    # A single row: hours that begin before were dropped; days and months have what they held.
    """
    CREATE TABLE usage_kept (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        hours_from_s bigint NOT NULL
    )
    """,
    "INSERT INTO usage_kept (hours_from_s) VALUES (0)",
)
ROLL_UPS = (
    """
    CREATE TABLE usage_day (
        installation_id bigint NOT NULL,
        day_s bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (installation_id, day_s)
    )
    """,
    """
    CREATE TABLE usage_month (
        installation_id bigint NOT NULL,
        month int NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (installation_id, month)
    )
    """,
    # A partition of readings has one writer, so no two transactions meet in a row.
    """
    CREATE TABLE usage_plan_hour (
        plan_version_id bigint NOT NULL,
        hour_s bigint NOT NULL,
        partition int NOT NULL,
        installation_hours bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (plan_version_id, hour_s, partition)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE usage_plan_day (
        plan_version_id bigint NOT NULL,
        day int NOT NULL,
        partition int NOT NULL,
        installation_hours bigint NOT NULL,
        energy_wh bigint NOT NULL,
        amount_micro bigint NOT NULL,
        PRIMARY KEY (plan_version_id, day, partition)
    ) WITH (fillfactor = 70)
    """,
)

MAKE = """
    CREATE FUNCTION usage_hour_make(begins date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s'
    AS $$
    DECLARE
        month date := date_trunc('month', begins);
        made text := 'usage_hour_' || to_char(month, 'YYYYMM');
        from_s bigint := extract(epoch FROM month);
        to_s bigint := extract(epoch FROM month + interval '1 month');
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('usage_hour', 0));
        IF to_regclass('public.' || made) IS NOT NULL
            OR from_s < (SELECT hours_from_s FROM public.usage_kept)
        THEN
            RETURN false;
        END IF;
        LOCK TABLE public.usage_hour_rest IN ACCESS EXCLUSIVE MODE;
        EXECUTE format(
            'CREATE TABLE public.%I (LIKE public.usage_hour INCLUDING INDEXES, '
            'CONSTRAINT bounds CHECK (hour_s >= %s AND hour_s < %s))', made, from_s, to_s);
        EXECUTE format(
            'WITH moved AS (DELETE FROM public.usage_hour_rest '
            'WHERE hour_s >= %s AND hour_s < %s RETURNING *) '
            'INSERT INTO public.%I SELECT * FROM moved', from_s, to_s, made);
        EXECUTE format(
            'ALTER TABLE public.usage_hour ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
            made, from_s, to_s);
        EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT bounds', made);
        RETURN true;
    END $$
"""
"""The month of a date gets its partition; false where it has one or was dropped."""

CONVERT = """
    SELECT usage_hour_make(CAST(month AS date)) FROM (
        SELECT DISTINCT date_trunc('month', to_timestamp(hour_s) AT TIME ZONE 'UTC') AS month
        FROM usage_hour_rest
        UNION
        SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month'
        FROM generate_series(0, 2) AS ahead
    ) AS wanted ORDER BY month
"""


def upgrade() -> None:
    for statement in (*HOURS, *ROLL_UPS, MAKE, CONVERT):
        op.execute(statement)
    role = context.config.attributes["application_role"]
    grant_tables("usage_hour", "usage_day", "usage_month", "usage_plan_hour", "usage_plan_day")
    op.execute(f'GRANT SELECT ON usage_kept TO "{role}"')
    op.execute("REVOKE EXECUTE ON FUNCTION usage_hour_make FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION usage_hour_make TO "{role}"')
