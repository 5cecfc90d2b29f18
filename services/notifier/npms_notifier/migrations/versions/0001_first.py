"""Accounts and their contacts, deliveries, tickets."""

from alembic import op

from npms_shared.db.migrations import create_messaging_tables, grant_application

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE account (
        account_id bigint PRIMARY KEY,
        customer_id bigint NOT NULL,
        customer_name text NOT NULL,
        currency text NOT NULL,
        time_zone text NOT NULL,
        language text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz
    )
    """,
    "CREATE INDEX account_customer ON account (customer_id)",
    """
    CREATE TABLE contact (
        account_id bigint NOT NULL REFERENCES account,
        channel text NOT NULL CHECK (channel IN ('email', 'sms')),
        address text NOT NULL,
        position int NOT NULL,
        fault text,
        PRIMARY KEY (account_id, channel, address)
    )
    """,
    """
    CREATE TABLE delivery (
        delivery_id uuid PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES account,
        message_id uuid NOT NULL,
        channel text NOT NULL CHECK (channel IN ('email', 'sms')),
        address text NOT NULL,
        template text NOT NULL,
        language text NOT NULL,
        subject text NOT NULL,
        body text NOT NULL,
        state text NOT NULL DEFAULT 'queued'
            CHECK (state IN ('queued', 'sending', 'retrying', 'sent', 'failed')),
        attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        due_at timestamptz,
        error text,
        reference text,
        created_at timestamptz NOT NULL,
        settled_at timestamptz,
        UNIQUE (message_id, channel, address),
        CHECK ((state = 'queued') = (attempts = 0)),
        CHECK ((state IN ('sent', 'failed')) = (settled_at IS NOT NULL)),
        CHECK ((state IN ('sent', 'failed')) = (due_at IS NULL))
    )
    """,
    "CREATE INDEX delivery_due ON delivery (channel, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX delivery_account ON delivery (account_id, delivery_id)",
    """
    CREATE TABLE ticket (
        ticket_id uuid PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES account,
        subject text NOT NULL,
        state text NOT NULL CHECK (state IN ('open', 'answered', 'closed')),
        opened_by text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_by text,
        closed_at timestamptz,
        CHECK ((state = 'closed') = (closed_at IS NOT NULL))
    )
    """,
    "CREATE INDEX ticket_account ON ticket (account_id, ticket_id)",
    "CREATE INDEX ticket_waiting ON ticket (ticket_id) WHERE state = 'open'",
    """
    CREATE TABLE ticket_message (
        message_id uuid PRIMARY KEY,
        ticket_id uuid NOT NULL REFERENCES ticket,
        author text NOT NULL CHECK (author IN ('customer', 'operator')),
        written_by text NOT NULL,
        body text NOT NULL,
        written_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ticket_message_ticket ON ticket_message (ticket_id, message_id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    create_messaging_tables()
    grant_application(append_only=("ticket_message",))
