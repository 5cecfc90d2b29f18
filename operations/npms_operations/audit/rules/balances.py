"""A position is the sum of its postings, bucket by bucket, and their numbering has no hole."""

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "balances are the sums of their postings"

_COUNTS = "SELECT (SELECT count(*) FROM position), (SELECT count(*) FROM posting)"
_BROKEN = """
    WITH chained AS (
        SELECT account_id, seq, bucket, amount_micro,
               after_micro - amount_micro - lag(after_micro, 1, CAST(0 AS bigint)) OVER (
                   PARTITION BY account_id, bucket ORDER BY seq) AS gap_micro
        FROM posting
    ), summed AS (
        SELECT account_id, count(*) AS postings, min(seq) AS first_seq, max(seq) AS last_seq,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'balance'), 0) AS balance_micro,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'debt'), 0) AS debt_micro,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'emergency'), 0)
                   AS emergency_micro,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'grant'), 0) AS grant_micro,
               min(seq) FILTER (WHERE gap_micro <> 0) AS gap_seq
        FROM chained GROUP BY account_id
    ), granted AS (
        SELECT account_id, sum(remaining_micro) AS grant_micro
        FROM granted_credit GROUP BY account_id
    ), compared AS (
        SELECT coalesce(p.account_id, s.account_id) AS account_id,
               p.account_id IS NOT NULL AS has_position, p.seq, p.balance_micro,
               -p.debt_micro AS debt_micro, -p.emergency_used_micro AS emergency_micro,
               coalesce(g.grant_micro, 0) AS grant_micro,
               coalesce(s.postings, 0) AS postings, coalesce(s.first_seq, 1) AS first_seq,
               coalesce(s.last_seq, 0) AS last_seq, s.gap_seq,
               coalesce(s.balance_micro, 0) AS balance_sum, coalesce(s.debt_micro, 0) AS debt_sum,
               coalesce(s.emergency_micro, 0) AS emergency_sum,
               coalesce(s.grant_micro, 0) AS grant_sum
        FROM position p FULL JOIN summed s ON s.account_id = p.account_id
        LEFT JOIN granted g ON g.account_id = p.account_id
    )
    SELECT * FROM compared
    WHERE NOT has_position OR gap_seq IS NOT NULL
       OR (seq, seq, 1) <> (last_seq, postings, first_seq)
       OR (balance_micro, debt_micro, emergency_micro, grant_micro)
          <> (balance_sum, debt_sum, emergency_sum, grant_sum)
    ORDER BY account_id
"""


async def check_balances(snapshots: Snapshots, _: Options) -> Result:
    """Sums, the value after each posting, and gapless numbers, of every account."""
    result = Result(RULE)
    positions, postings = (await snapshots.ledger.rows(_COUNTS))[0]
    result.count("accounts", positions)
    result.count("postings", postings)
    for row in await snapshots.ledger.rows(_BROKEN):
        _explain(result, row)
    return result


def _explain(result: Result, row: Row) -> None:
    subject = f"account {row['account_id']}"
    if not row["has_position"]:
        result.broken(subject, f"{row['postings']} postings and no position")
        return
    for bucket in ("balance", "debt", "emergency", "grant"):
        result.expect(
            subject,
            f"{bucket} in micro-units",
            found=row[f"{bucket}_micro"],
            expected=row[f"{bucket}_sum"],
        )
    if row["gap_seq"] is not None:
        result.broken(subject, f"posting {row['gap_seq']} does not follow from the one before it")
    if (row["last_seq"], row["first_seq"]) != (row["postings"], 1):
        numbers = f"{row['first_seq']} to {row['last_seq']}"
        result.broken(subject, f"{row['postings']} postings are numbered {numbers}: a hole")
    result.expect(subject, "seq of the position", found=row["seq"], expected=row["last_seq"])
