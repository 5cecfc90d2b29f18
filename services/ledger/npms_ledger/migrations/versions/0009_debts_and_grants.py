"""Several debts and granted credits of an account, and charges that a month's first top-up pays."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0009"
down_revision = "0008"

DEBT = """
CREATE TABLE debt (
    account_id bigint NOT NULL REFERENCES account,
    debt_no int NOT NULL CHECK (debt_no >= 0),
    label text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'time')),
    priority int NOT NULL,
    share_ppm int,
    minimum_micro bigint NOT NULL,
    cap_micro bigint,
    cap_period text,
    rate_micro bigint,
    rate_period text,
    suspend_in_emergency boolean NOT NULL,
    suspend_when_off boolean NOT NULL,
    remaining_micro bigint NOT NULL CHECK (remaining_micro >= 0),
    taken_micro bigint NOT NULL DEFAULT 0,
    taken_since date,
    next_at timestamptz,
    added_at timestamptz NOT NULL,
    added_by text NOT NULL,
    added_why text NOT NULL,
    changed_at timestamptz,
    changed_by text,
    changed_why text,
    PRIMARY KEY (account_id, debt_no)
);
INSERT INTO debt (account_id, debt_no, label, kind, priority, minimum_micro, suspend_in_emergency,
                  suspend_when_off, remaining_micro, added_at, added_by, added_why)
SELECT account_id, 0, '', 'payment', 100, 0, false, false, debt_micro, now(), 'ledger',
       'carried over'
FROM position WHERE debt_micro > 0;
ALTER TABLE position ADD COLUMN recovered_micro bigint NOT NULL DEFAULT 0,
    ADD COLUMN recovered_since date
"""
GRANT = """
CREATE TABLE granted_credit (
    account_id bigint NOT NULL REFERENCES account,
    grant_no int NOT NULL CHECK (grant_no > 0),
    label text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('amount', 'time')),
    priority int NOT NULL,
    amount_micro bigint NOT NULL CHECK (amount_micro >= 0),
    draws_on text[] NOT NULL,
    monthly boolean NOT NULL,
    rollover_max_micro bigint NOT NULL,
    remaining_micro bigint NOT NULL CHECK (remaining_micro >= 0),
    ends_at timestamptz,
    renews_at timestamptz,
    ended boolean NOT NULL,
    granted_at timestamptz NOT NULL,
    granted_by text NOT NULL,
    granted_why text NOT NULL,
    ended_by text,
    ended_why text,
    PRIMARY KEY (account_id, grant_no)
)
"""
VEND = """
CREATE TABLE vend_charge (
    account_id bigint NOT NULL REFERENCES account,
    month int NOT NULL,
    name text NOT NULL,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    tax_micro bigint NOT NULL,
    taken_micro bigint NOT NULL CHECK (taken_micro BETWEEN 0 AND amount_micro),
    PRIMARY KEY (account_id, month, name)
);
ALTER TABLE known_plan_version ADD COLUMN vend_charges jsonb NOT NULL DEFAULT '[]';
ALTER TABLE posting ADD COLUMN item_no int, ADD COLUMN label text;
ALTER TABLE posting ADD CONSTRAINT posting_charge_is_plain
    CHECK (kind <> 'charge' OR (item_no IS NULL AND label IS NULL)) NOT VALID
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (DEBT, GRANT, VEND):
        for statement in part.split(";\n"):
            op.execute(statement)
    grant_tables("debt", "granted_credit", "vend_charge")
