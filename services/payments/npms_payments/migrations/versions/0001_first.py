"""Accounts, arrivals, payments, checkouts, provider events, suspense, reviews, vouchers."""

from alembic import op

from npms_shared.db.migrations import create_messaging_tables, grant_application

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE account (
        account_id bigint PRIMARY KEY,
        customer_id bigint,
        currency text,
        opened_at timestamptz,
        closed_at timestamptz
    )
    """,
    """
    CREATE TABLE arrival (
        source text NOT NULL,
        issuer text NOT NULL,
        reference text NOT NULL,
        amount_micro bigint NOT NULL CHECK (amount_micro > 0),
        currency text NOT NULL,
        arrived_at timestamptz NOT NULL,
        noted_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source, issuer, reference)
    )
    """,
    "CREATE INDEX arrival_by_time ON arrival USING brin (noted_at)",
    """
    CREATE TABLE payment (
        payment_id uuid PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES account,
        amount_micro bigint NOT NULL CHECK (amount_micro > 0),
        currency text NOT NULL,
        source text NOT NULL,
        issuer text NOT NULL DEFAULT '',
        reference text,
        state text NOT NULL CHECK (state IN ('created', 'pending', 'outcome_unknown', 'settled',
                                             'failed', 'expired', 'reversed')),
        failure_code text,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        settled_at timestamptz,
        reversed_at timestamptz,
        reversal_id uuid,
        reversal_reason text,
        credited_at timestamptz,
        to_debt_micro bigint,
        to_emergency_micro bigint,
        to_balance_micro bigint,
        balance_after_micro bigint,
        noted_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (source, issuer, reference),
        FOREIGN KEY (source, issuer, reference) REFERENCES arrival,
        CHECK (state <> 'settled' OR (settled_at IS NOT NULL AND reference IS NOT NULL)),
        CHECK (state <> 'reversed' OR (reversed_at IS NOT NULL AND reversal_id IS NOT NULL))
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX payment_by_account ON payment (account_id, payment_id DESC)",
    """
    CREATE INDEX payment_uncredited ON payment (settled_at)
    WHERE settled_at IS NOT NULL AND credited_at IS NULL
    """,
    """
    CREATE TABLE checkout (
        payment_id uuid PRIMARY KEY REFERENCES payment,
        provider text NOT NULL,
        provider_ref text,
        checkout_url text,
        queries int NOT NULL DEFAULT 0,
        query_at timestamptz,
        expires_at timestamptz NOT NULL
    )
    """,
    """
    CREATE INDEX payment_unfinished ON payment (payment_id)
    WHERE state IN ('created', 'pending', 'outcome_unknown')
    """,
    "CREATE INDEX checkout_to_query ON checkout (query_at) WHERE query_at IS NOT NULL",
    """
    CREATE TABLE provider_event (
        provider text NOT NULL,
        event_id text NOT NULL,
        fact text NOT NULL,
        order_id uuid,
        txn_id text,
        amount_micro bigint NOT NULL,
        currency text NOT NULL,
        outcome text NOT NULL,
        reason text NOT NULL,
        body bytea NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (provider, event_id),
        UNIQUE (provider, txn_id)
    )
    """,
    """
    CREATE TABLE suspense_item (
        suspense_id uuid PRIMARY KEY,
        amount_micro bigint NOT NULL CHECK (amount_micro > 0),
        currency text NOT NULL,
        source text NOT NULL,
        issuer text NOT NULL,
        reference text NOT NULL,
        account_given text NOT NULL,
        order_id uuid,
        reason text NOT NULL,
        state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'allocated')),
        received_at timestamptz NOT NULL,
        received_by text NOT NULL,
        payment_id uuid REFERENCES payment,
        allocated_at timestamptz,
        allocated_by text,
        allocated_reason text,
        FOREIGN KEY (source, issuer, reference) REFERENCES arrival,
        UNIQUE (source, issuer, reference),
        CHECK ((state = 'allocated') = (payment_id IS NOT NULL))
    )
    """,
    "CREATE INDEX suspense_open ON suspense_item (suspense_id) WHERE state = 'open'",
    """
    CREATE TABLE review (
        review_id uuid PRIMARY KEY,
        provider text NOT NULL,
        event_id text NOT NULL,
        order_id uuid,
        reason text NOT NULL,
        detail text NOT NULL,
        raised_at timestamptz NOT NULL,
        UNIQUE (provider, event_id, reason)
    )
    """,
    """
    CREATE TABLE voucher_batch (
        batch_id uuid PRIMARY KEY,
        batch_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        value_micro bigint NOT NULL CHECK (value_micro > 0),
        currency text NOT NULL,
        voucher_count int NOT NULL CHECK (voucher_count > 0),
        expires_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'inactive' CHECK (state IN ('inactive', 'active')),
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        activated_at timestamptz,
        activated_by text,
        CHECK ((state = 'active') = (activated_by IS NOT NULL))
    )
    """,
    """
    CREATE TABLE voucher (
        lookup_key bytea PRIMARY KEY CHECK (length(lookup_key) = 32),
        serial text NOT NULL UNIQUE,
        batch_id uuid NOT NULL REFERENCES voucher_batch,
        state text NOT NULL DEFAULT 'inactive' CHECK (state IN ('inactive', 'active', 'redeemed')),
        payment_id uuid REFERENCES payment DEFERRABLE INITIALLY DEFERRED,
        redeemed_at timestamptz,
        CHECK ((state = 'redeemed') = (payment_id IS NOT NULL)),
        CHECK ((state = 'redeemed') = (redeemed_at IS NOT NULL))
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX voucher_by_batch ON voucher (batch_id)",
    "CREATE INDEX voucher_by_use ON voucher (redeemed_at) WHERE redeemed_at IS NOT NULL",
    "CREATE INDEX voucher_by_payment ON voucher (payment_id) WHERE payment_id IS NOT NULL",
    """
    CREATE TABLE voucher_guard (
        subject text PRIMARY KEY,
        failed_at timestamptz[] NOT NULL DEFAULT '{}'
    )
    """,
)


def upgrade() -> None:
    create_messaging_tables()
    for statement in STATEMENTS:
        op.execute(statement)
    grant_application(append_only=("arrival", "provider_event", "review"))
