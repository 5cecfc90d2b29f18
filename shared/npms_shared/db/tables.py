"""The tables that messaging and REST need in every service's own database."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MESSAGING_SQL = (
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id uuid NOT NULL,
        exchange text NOT NULL,
        routing_key text NOT NULL,
        type text NOT NULL,
        source text NOT NULL,
        subject text NOT NULL,
        time timestamptz NOT NULL,
        traceparent text,
        headers jsonb,
        body bytea NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
    """,
    "ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL",
    """
    CREATE TABLE inbox (
        message_id uuid NOT NULL,
        queue text NOT NULL,
        heard_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (message_id, queue)
    )
    """,
    """
    CREATE TABLE parked_message (
        id uuid PRIMARY KEY,
        message_id uuid,
        queue text NOT NULL,
        type text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        code text NOT NULL,
        reason text NOT NULL,
        attempts int NOT NULL,
        parked_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'replayed', 'dropped')),
        settled_by text,
        settled_reason text,
        settled_at timestamptz
    )
    """,
    "CREATE INDEX parked_message_open ON parked_message (parked_at) WHERE state = 'parked'",
    """
    CREATE TABLE partition_epoch (
        stage text NOT NULL,
        partition int NOT NULL,
        epoch bigint NOT NULL,
        PRIMARY KEY (stage, partition)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE idempotency_key (
        subject text NOT NULL,
        key text NOT NULL,
        fingerprint text NOT NULL,
        status int,
        response jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (subject, key)
    )
    """,
)
"""Statements of the first version, for a service's first migration."""

MESSAGING_2_SQL = (
    """
    UPDATE parked_message p
    SET state = 'dropped', settled_by = 'migration', settled_at = now(),
        settled_reason = 'it was parked again later'
    WHERE state = 'parked' AND EXISTS (
        SELECT FROM parked_message o WHERE (o.message_id, o.queue) = (p.message_id, p.queue)
            AND o.state = 'parked' AND o.id > p.id)
    """,
    """
    ALTER TABLE parked_message DROP CONSTRAINT parked_message_state_check,
        ADD CONSTRAINT parked_message_state_check CHECK (
            state IN ('parked', 'replaying', 'replayed', 'applied', 'dropped')) NOT VALID
    """,
    """
    CREATE UNIQUE INDEX parked_message_once ON parked_message (message_id, queue)
    WHERE state IN ('parked', 'replaying')
    """,
    "DROP INDEX parked_message_open",
    """
    CREATE INDEX parked_message_open ON parked_message (parked_at, id)
    WHERE state IN ('parked', 'replaying')
    """,
    """
    CREATE TABLE unroutable_message (
        id uuid PRIMARY KEY,
        outbox_id bigint NOT NULL,
        message_id uuid NOT NULL,
        exchange text NOT NULL,
        routing_key text NOT NULL,
        type text NOT NULL,
        source text NOT NULL,
        subject text NOT NULL,
        time timestamptz NOT NULL,
        traceparent text,
        headers jsonb,
        body bytea NOT NULL,
        reason text NOT NULL,
        set_aside_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'set_aside'
            CHECK (state IN ('set_aside', 'retried', 'dropped')),
        settled_by text,
        settled_reason text,
        settled_at timestamptz
    )
    """,
    """
    CREATE INDEX unroutable_message_open ON unroutable_message (outbox_id)
    WHERE state = 'set_aside'
    """,
    """
    CREATE TABLE schema_fits (
        one bool PRIMARY KEY DEFAULT true CHECK (one),
        oldest text NOT NULL
    )
    """,
    "INSERT INTO schema_fits (oldest) VALUES ('')",
)
"""What the second version adds: one open row a parked message, messages without a queue, and the
oldest revision whose programs may work on this schema.
"""
MESSAGING_2_TABLES = ("unroutable_message", "schema_fits")

INBOX_KEPT_DAYS = 14
KEYS_KEPT_DAYS = 8
FORGET_ROWS = 10_000

_FORGET = """
    DELETE FROM {table} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM {table} WHERE {since} < now() - make_interval(days => {days})
        ORDER BY {since} LIMIT {rows}))
"""
FORGET_MESSAGES = _FORGET.format(
    table="inbox", since="heard_at", days=INBOX_KEPT_DAYS, rows=FORGET_ROWS
)
FORGET_KEYS = _FORGET.format(
    table="idempotency_key", since="created_at", days=KEYS_KEPT_DAYS, rows=FORGET_ROWS
)


async def forget_old_keys(conn: AsyncConnection) -> bool:
    """Delete inbox rows and idempotency keys older than anybody may resend, FORGET_ROWS of each.

    True when there may be more.
    """
    counts = [(await conn.execute(text(one))).rowcount for one in (FORGET_MESSAGES, FORGET_KEYS)]
    return FORGET_ROWS in counts


COUNTED_ROWS = 100_000
"""More than this is too much to count each time, and needs a person whatever the number."""
_COUNT = f"SELECT count(*) FROM (SELECT FROM {{}} LIMIT {COUNTED_ROWS}) AS counted"  # noqa: S608
OUTBOX_COUNT = _COUNT.format("outbox")
PARKED_COUNT = _COUNT.format("parked_message WHERE state IN ('parked', 'replaying')")
UNROUTABLE_COUNT = _COUNT.format("unroutable_message WHERE state = 'set_aside'")
