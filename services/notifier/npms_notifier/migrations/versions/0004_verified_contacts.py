"""Addresses are verified by a code before notices go to them; until then notices are held."""

from alembic import op

from npms_shared.db.migrations import create_index, grant_tables

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    "SET LOCAL lock_timeout = '5s'",
    # The default is evaluated once, without rewriting the table: what is there was used before.
    "ALTER TABLE contact ADD COLUMN verified_at timestamptz DEFAULT now()",
    "ALTER TABLE contact ALTER COLUMN verified_at DROP DEFAULT",
    "UPDATE contact SET verified_at = NULL WHERE fault IS NOT NULL",
    "ALTER TABLE contact ADD CHECK (fault IS NULL OR verified_at IS NULL)",
    """
    CREATE TABLE contact_code (
        code_id uuid PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES account,
        channel text NOT NULL CHECK (channel IN ('email', 'sms')),
        address text NOT NULL,
        digest bytea,
        made_at timestamptz NOT NULL,
        expires_at timestamptz,
        attempts int NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 5),
        ended_at timestamptz,
        CHECK (digest IS NULL OR (expires_at IS NOT NULL AND ended_at IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX contact_code_open ON contact_code (account_id, channel, address)
    WHERE ended_at IS NULL
    """,
    "CREATE INDEX contact_code_made ON contact_code (account_id, made_at)",
    "ALTER TABLE delivery ADD COLUMN held_until timestamptz",
    """
    ALTER TABLE delivery
        DROP CONSTRAINT delivery_state_check,
        DROP CONSTRAINT delivery_check,
        DROP CONSTRAINT delivery_check1,
        DROP CONSTRAINT delivery_check2
    """,
    # Rows of before hold by the narrower checks that these replace, so nobody looks at them again.
    """
    ALTER TABLE delivery
        ADD CONSTRAINT delivery_state_known CHECK (
            state IN ('held', 'queued', 'sending', 'retrying', 'sent', 'failed', 'expired')
        ) NOT VALID,
        ADD CONSTRAINT delivery_attempted CHECK (
            CASE state WHEN 'held' THEN attempts = 0 WHEN 'queued' THEN attempts = 0
                       WHEN 'expired' THEN true ELSE attempts > 0 END
        ) NOT VALID,
        ADD CONSTRAINT delivery_settled CHECK (
            (state IN ('sent', 'failed', 'expired')) = (settled_at IS NOT NULL)
        ) NOT VALID,
        ADD CONSTRAINT delivery_due_while_open CHECK (
            (state IN ('queued', 'sending', 'retrying')) = (due_at IS NOT NULL)
        ) NOT VALID,
        ADD CONSTRAINT delivery_held_until CHECK (
            (state = 'held') = (held_until IS NOT NULL)
        ) NOT VALID
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    grant_tables("contact_code")
    create_index("delivery_held", "delivery (account_id, held_until) WHERE held_until IS NOT NULL")
