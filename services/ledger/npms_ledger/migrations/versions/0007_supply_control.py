"""Keep-on, protection that ends, load limits, held cuts, review tasks, decisions, reconnections."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0007"
down_revision = "0006"

COLUMNS = """
ALTER TABLE position
    ADD COLUMN protected_until timestamptz,
    ADD COLUMN keep_on_until timestamptz,
    ADD COLUMN limit_w bigint,
    ADD COLUMN limit_until timestamptz;
ALTER TABLE supply ADD COLUMN limit_w bigint, ADD COLUMN reported_limit_w bigint;
ALTER TABLE known_profile ADD COLUMN can_limit boolean NOT NULL DEFAULT false;
"""

PEOPLE = """
CREATE TABLE keep_on (
    keep_on_id uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    until timestamptz NOT NULL,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_by text,
    lifted_at timestamptz,
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE INDEX keep_on_account ON keep_on (account_id, placed_at);
CREATE TABLE review_task (
    review_task_id uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    what text NOT NULL,
    since timestamptz NOT NULL,
    balance_micro bigint NOT NULL,
    amount_to_clear_micro bigint NOT NULL,
    done_at timestamptz,
    done_by text,
    note text,
    CHECK ((done_at IS NULL) = (done_by IS NULL) AND (done_at IS NULL) = (note IS NULL))
);
CREATE UNIQUE INDEX review_task_open ON review_task (account_id, what) WHERE done_at IS NULL;
"""

GUARDRAIL = """
CREATE TABLE mass_cut (
    mass_cut_id uuid PRIMARY KEY,
    policy_code text,
    ground text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected', 'lapsed')),
    opened_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    reason text,
    held_until timestamptz,
    CHECK ((state = 'waiting') = (decided_at IS NULL)),
    CHECK ((state IN ('approved', 'rejected')) = (decided_by IS NOT NULL))
);
CREATE UNIQUE INDEX mass_cut_waiting ON mass_cut (coalesce(policy_code, ''))
    WHERE state = 'waiting';
CREATE TABLE held_cut (
    mass_cut_id uuid NOT NULL REFERENCES mass_cut,
    account_id bigint NOT NULL REFERENCES account,
    policy_code text NOT NULL,
    policy_version int NOT NULL,
    balance_micro bigint NOT NULL,
    floor_micro bigint NOT NULL,
    amount_to_clear_micro bigint NOT NULL,
    held_at timestamptz NOT NULL,
    left_at timestamptz,
    left_as text,
    PRIMARY KEY (mass_cut_id, account_id)
);
CREATE UNIQUE INDEX held_cut_open ON held_cut (account_id) WHERE left_at IS NULL;
CREATE INDEX held_cut_recent ON held_cut (held_at) WHERE left_at IS NULL;
"""

RECORD = """
CREATE TABLE supply_decision (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    installation_id bigint NOT NULL REFERENCES installation,
    revision bigint NOT NULL,
    state supply_state NOT NULL,
    limit_w bigint,
    reason text NOT NULL,
    hold_ended text,
    policy_code text NOT NULL,
    policy_version int NOT NULL,
    balance_micro bigint NOT NULL,
    floor_micro bigint NOT NULL,
    debt_micro bigint NOT NULL,
    emergency_used_micro bigint NOT NULL,
    emergency text NOT NULL,
    amount_to_clear_micro bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    subject text,
    payment_id uuid,
    journal_id uuid,
    mass_cut_id uuid,
    UNIQUE (installation_id, revision)
);
CREATE INDEX supply_decision_account ON supply_decision (account_id, decision_id);
CREATE INDEX supply_decision_cuts ON supply_decision (decided_at)
    WHERE state = 'off' AND mass_cut_id IS NULL;
CREATE TABLE reconnection (
    reconnection_id uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    installation_id bigint NOT NULL REFERENCES installation,
    revision bigint NOT NULL,
    payment_id uuid,
    settled_at timestamptz NOT NULL,
    heard_at timestamptz NOT NULL,
    credited_at timestamptz NOT NULL,
    desired_at timestamptz NOT NULL,
    verified_at timestamptz,
    superseded_at timestamptz,
    UNIQUE (installation_id, revision)
);
CREATE INDEX reconnection_open ON reconnection (installation_id)
    WHERE verified_at IS NULL AND superseded_at IS NULL;
CREATE INDEX reconnection_account ON reconnection (account_id);
"""

APPEND_ONLY = ("supply_decision",)
TABLES = ("keep_on", "review_task", "mass_cut", "held_cut", "reconnection")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for part in (COLUMNS, PEOPLE, GUARDRAIL, RECORD):
        for statement in part.split(";\n"):
            if statement.strip():
                op.execute(statement)
    grant_tables(*TABLES, append_only=APPEND_ONLY)
