"""Seals of journals; what was posted before is sealed now, in a chain of its own."""

from alembic import op

from npms_shared.db.migrations import grant_tables

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE seal_head (
    chain text PRIMARY KEY,
    seq bigint NOT NULL CHECK (seq > 0),
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);
CREATE TABLE seal (
    chain text NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    journal_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (chain, seq),
    UNIQUE (journal_id)
);
"""

COLUMNS = (
    "account_id",
    "seq",
    "-amount_micro",
    "after_micro",
    "installation_id",
    "from_register_wh",
    "to_register_wh",
    "CAST(extract(epoch FROM from_at) AS bigint)",
    "CAST(extract(epoch FROM to_at) AS bigint)",
    "energy_wh",
    "plan_version_id",
    "tax_micro",
)
CHARGES = " || E'\\n' || ".join(
    f"'{{' || string_agg(CAST({column} AS text), ', ' ORDER BY account_id, seq) || '}}'"
    for column in COLUMNS
)
HISTORY = f"""
DO $$
DECLARE
    one record;
    number bigint := 0;
    before bytea;
    made bytea := sha256(convert_to('history', 'UTF8'));
BEGIN
    FOR one IN
        SELECT j.journal_id, sha256(convert_to(concat_ws(E'\\n', 'npms seal 1', j.journal_id,
            j.kind, CAST(extract(epoch FROM j.posted_at) * 1000000 AS bigint),
            coalesce(CAST(j.payment_id AS text), '-'), 'system', s.form, 'charges', c.form,
            'entries', e.form), 'UTF8')) AS digest
        FROM journal j
        LEFT JOIN (
            SELECT journal_id, string_agg(concat_ws(' ', ledger_account, currency, amount_micro),
                E'\\n' ORDER BY ledger_account COLLATE "C", currency COLLATE "C") AS form
            FROM system_posting GROUP BY journal_id) s USING (journal_id)
        LEFT JOIN (
            SELECT journal_id,
                {CHARGES} || E'\\n' || string_agg(lines, E'\\n' ORDER BY account_id, seq) AS form
            FROM posting WHERE kind = 'charge' GROUP BY journal_id) c USING (journal_id)
        LEFT JOIN (
            SELECT journal_id, string_agg(concat_ws(' ', account_id, seq, bucket, kind,
                amount_micro, after_micro), E'\\n' ORDER BY account_id, seq) AS form
            FROM posting WHERE kind <> 'charge' GROUP BY journal_id) e USING (journal_id)
        ORDER BY j.recorded_at, j.journal_id
    LOOP
        number := number + 1;
        before := made;
        made := sha256(before || one.digest);
        INSERT INTO seal VALUES ('history', number, one.journal_id, one.digest, before, made);
    END LOOP;
    IF number > 0 THEN
        INSERT INTO seal_head VALUES ('history', number, before, made);
    END IF;
END
$$
"""  # noqa: S608


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(HISTORY)
    grant_tables("seal_head", append_only=("seal",))
