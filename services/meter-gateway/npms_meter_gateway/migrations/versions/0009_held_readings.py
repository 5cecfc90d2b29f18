"""Held readings with a life, how registers are reckoned from, and readings that differ from raw."""

from alembic import context, op

from npms_shared.db.migrations import grant_tables

revision = "0009"
down_revision = "0008"

TABLES = (
    "ALTER TABLE parked_reading RENAME TO held_reading",
    "ALTER TABLE held_reading RENAME COLUMN parked_id TO held_id",
    "ALTER TABLE held_reading RENAME COLUMN parked_at TO held_at",
    """
    ALTER TABLE held_reading ADD COLUMN state text NOT NULL DEFAULT 'held'
        CHECK (state IN ('held', 'released', 'corrected', 'rejected', 'superseded'))
    """,
    """
    CREATE INDEX held_reading_open ON held_reading (installation_id, taken_at)
    WHERE state = 'held'
    """,
    # What was decided of a held reading, by whom and why: added to, never changed. What decided
    # by itself has no person.
    """
    CREATE TABLE held_decision (
        decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        held_id bigint NOT NULL REFERENCES held_reading ON DELETE CASCADE,
        decision text NOT NULL
            CHECK (decision IN ('released', 'corrected', 'rejected', 'superseded')),
        register_wh bigint,
        by_subject text,
        reason text NOT NULL,
        decided_at timestamptz NOT NULL,
        CHECK ((register_wh IS NOT NULL) = (decision IN ('released', 'corrected')))
    )
    """,
    "CREATE INDEX held_decision_of ON held_decision (held_id, decision_id)",
    # Readings whose validated register is not reckoned from what the meter showed at that time.
    """
    CREATE TABLE reading_origin (
        installation_id bigint NOT NULL,
        taken_at timestamptz NOT NULL,
        how text NOT NULL CHECK (how IN ('released', 'corrected', 'ratio')),
        shown_wh numeric NOT NULL,
        held_id bigint,
        PRIMARY KEY (installation_id, taken_at)
    )
    """,
    # From an instant on: validated = base_wh + (raw - raw_wh) x ratio. Before the first: raw.
    """
    CREATE TABLE reckoning (
        installation_id bigint NOT NULL,
        from_at timestamptz NOT NULL,
        raw_wh bigint NOT NULL CHECK (raw_wh >= 0),
        base_wh bigint NOT NULL CHECK (base_wh >= 0),
        ratio numeric NOT NULL CHECK (ratio BETWEEN 1 AND 1000000),
        by_subject text NOT NULL,
        reason text NOT NULL,
        decided_at timestamptz NOT NULL,
        PRIMARY KEY (installation_id, from_at)
    )
    """,
    # Installations behind whose address another meter may answer: their readings are held.
    """
    CREATE TABLE suspicion (
        installation_id bigint PRIMARY KEY,
        detail text NOT NULL,
        since timestamptz NOT NULL
    )
    """,
    # What was rejected or proved harmless may go; what was released or corrected is evidence.
    """
    CREATE FUNCTION held_reading_forget(before timestamptz) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
    AS $$
        WITH gone AS (
            DELETE FROM public.held_reading h
            WHERE h.state IN ('rejected', 'superseded') AND before > (
                SELECT max(d.decided_at) FROM public.held_decision d WHERE d.held_id = h.held_id
            )
            RETURNING 1
        ) SELECT count(*) FROM gone
    $$
    """,
    "REVOKE ALL ON FUNCTION held_reading_forget(timestamptz) FROM PUBLIC",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    grant_tables("suspicion", append_only=("held_decision", "reading_origin", "reckoning"))
    role = context.config.attributes["application_role"]
    op.execute(f'GRANT UPDATE (state) ON held_reading TO "{role}"')
    op.execute(f'GRANT EXECUTE ON FUNCTION held_reading_forget(timestamptz) TO "{role}"')
