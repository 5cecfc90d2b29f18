"""Days and months of what was used before they were rolled up; old hours may go."""

from alembic import context, op

revision = "0007"
down_revision = "0006"

DAY_BEGINS = """
    CREATE FUNCTION local_day_begins(day date, zone text) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT at_s - CASE WHEN CAST(to_timestamp(at_s - 3600) AT TIME ZONE zone AS date) = day
            THEN 3600 ELSE 0 END
        FROM (
            SELECT CAST(extract(epoch FROM CAST(day AS timestamp) AT TIME ZONE zone) AS bigint)
        ) AS midnight (at_s)
    $$
"""
"""As rating has it: where clocks show midnight twice a day begins at the first."""

BEGUN = """
    CREATE TEMPORARY TABLE usage_begun ON COMMIT DROP AS
    WITH days AS (
        SELECT installation_id, time_zone,
               CAST(to_timestamp(hour_s) AT TIME ZONE time_zone AS date) AS day,
               CAST(sum(energy_wh) AS bigint) AS energy_wh,
               CAST(sum(amount_micro) AS bigint) AS amount_micro
        FROM (
            SELECT installation_id, hour_s, energy_wh, amount_micro FROM usage_hour
            UNION ALL
            SELECT installation_id, hour_s, 0, 0 FROM rating_state WHERE hour_s > 0
        ) AS hours JOIN installation USING (installation_id)
        GROUP BY 1, 2, 3
    )
    SELECT installation_id, day,
           CAST(extract(year FROM day) * 100 + extract(month FROM day) AS int) AS month,
           local_day_begins(day, time_zone) AS day_s,
           energy_wh, amount_micro,
           day = max(day) OVER (PARTITION BY installation_id) AS open
    FROM days
"""
"""Every local day of every installation, without the running hour. The last is `open`: the one
that the running hour is in."""

BACKFILL = (
    """
    INSERT INTO usage_day SELECT installation_id, day_s, energy_wh, amount_micro
    FROM usage_begun WHERE NOT open AND (energy_wh <> 0 OR amount_micro <> 0)
    """,
    """
    INSERT INTO usage_month
    SELECT b.installation_id, b.month, sum(b.energy_wh), sum(b.amount_micro)
    FROM usage_begun b JOIN usage_begun o ON o.installation_id = b.installation_id AND o.open
    WHERE b.month <> o.month GROUP BY b.installation_id, b.month
    HAVING sum(b.energy_wh) <> 0 OR sum(b.amount_micro) <> 0
    """,
    """
    UPDATE rating_state AS s
    SET version = s.version + 1, day_s = o.day_s, day_wh = o.energy_wh, day_micro = o.amount_micro,
        month_wh = o.month_wh, month_micro = o.month_micro
    FROM (
        SELECT o.installation_id, o.day_s, o.energy_wh, o.amount_micro,
               coalesce(sum(b.energy_wh), 0) AS month_wh,
               coalesce(sum(b.amount_micro), 0) AS month_micro
        FROM usage_begun o LEFT JOIN usage_begun b
            ON b.installation_id = o.installation_id AND b.month = o.month AND NOT b.open
        WHERE o.open GROUP BY 1, 2, 3, 4
    ) AS o
    WHERE s.installation_id = o.installation_id
    """,
)

UNHELD = """
    CREATE FUNCTION usage_hour_unheld(kept_s bigint, before_s bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH zones AS (
            SELECT time_zone,
                   public.local_day_begins(CAST(to_timestamp(kept_s - 1) AT TIME ZONE time_zone
                       AS date) + 1, time_zone) AS from_s,
                   public.local_day_begins(CAST(to_timestamp(before_s) AT TIME ZONE time_zone
                       AS date), time_zone) AS upto_s
            FROM (SELECT DISTINCT time_zone FROM public.installation) AS used
        ), hours AS (
            SELECT h.installation_id, sum(h.energy_wh) AS wh, sum(h.amount_micro) AS micro
            FROM public.usage_hour h JOIN public.installation USING (installation_id)
            JOIN zones z USING (time_zone)
            WHERE h.hour_s < before_s AND h.hour_s >= z.from_s AND h.hour_s < z.upto_s
            GROUP BY h.installation_id
        ), days AS (
            SELECT d.installation_id, sum(d.wh) AS wh, sum(d.micro) AS micro
            FROM (
                SELECT installation_id, day_s, energy_wh AS wh, amount_micro AS micro
                FROM public.usage_day
                UNION ALL
                SELECT installation_id, day_s, day_wh, day_micro FROM public.rating_state
            ) AS d JOIN public.installation USING (installation_id) JOIN zones z USING (time_zone)
            WHERE d.day_s >= z.from_s AND d.day_s < z.upto_s
            GROUP BY d.installation_id
        )
        SELECT count(*) FROM hours h FULL JOIN days d USING (installation_id)
        WHERE (coalesce(h.wh, 0), coalesce(h.micro, 0)) <> (coalesce(d.wh, 0), coalesce(d.micro, 0))
    $$
"""
"""Installations whose whole local days of [kept, before) hold other sums than their hours."""

DROP = """
    CREATE FUNCTION usage_hour_drop(before date) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s'
    AS $$
    DECLARE
        month date := date_trunc('month', before);
        before_s bigint := extract(epoch FROM month);
        kept_s bigint;
        unheld bigint;
        old name;
        dropped int := 0;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('usage_hour', 0));
        SELECT hours_from_s INTO kept_s FROM public.usage_kept;
        IF before_s <= kept_s THEN
            DELETE FROM public.usage_hour_rest WHERE hour_s < kept_s;
            RETURN 0;
        END IF;
        unheld := public.usage_hour_unheld(kept_s, before_s);
        IF unheld > 0 THEN
            RAISE EXCEPTION 'the days of % installations do not hold their hours before %',
                unheld, month USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        FOR old IN
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'public.usage_hour'::regclass
              AND c.relname ~ '^usage_hour_[0-9]{6}$'
              AND right(c.relname, 6) < to_char(month, 'YYYYMM')
        LOOP
            EXECUTE format('DROP TABLE public.%I', old);
            dropped := dropped + 1;
        END LOOP;
        DELETE FROM public.usage_hour_rest WHERE hour_s < before_s;
        UPDATE public.usage_kept SET hours_from_s = before_s;
        RETURN dropped;
    END $$
"""
"""Hours of before a date's month go, if the days hold them; says how many months went."""


def upgrade() -> None:
    for statement in (DAY_BEGINS, BEGUN, *BACKFILL, UNHELD, DROP):
        op.execute(statement)
    op.execute(
        "CREATE INDEX installation_by_class ON installation "
        "(plan_code, customer_class, installation_id)"
    )
    role = context.config.attributes["application_role"]
    for function in ("usage_hour_unheld", "usage_hour_drop"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION usage_hour_drop TO "{role}"')
