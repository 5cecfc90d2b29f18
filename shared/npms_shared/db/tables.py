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

INBOX_KEPT_DAYS = 14
KEYS_KEPT_DAYS = 8


async def forget_old_keys(conn: AsyncConnection) -> None:
    """Delete inbox rows and idempotency keys older than anybody may resend."""
    await conn.execute(
        text("DELETE FROM inbox WHERE heard_at < now() - make_interval(days => :days)"),
        {"days": INBOX_KEPT_DAYS},
    )
    await conn.execute(
        text("DELETE FROM idempotency_key WHERE created_at < now() - make_interval(days => :days)"),
        {"days": KEYS_KEPT_DAYS},
    )
