"""What was charged beside readings: every estimate is settled in full, and posted once, as told."""

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "adjustments are posted once, estimates settled in full"

_TOLD = """
    SELECT adjustment_id, 'provisional' AS kind, installation_id, amount_micro FROM provisional
    UNION ALL
    SELECT settlement_id, 'settlement', min(installation_id), CAST(-sum(amount_micro) AS bigint)
    FROM provisional WHERE settlement_id IS NOT NULL GROUP BY settlement_id
    UNION ALL
    SELECT CAST(m ->> 'adjustment_id' AS uuid), 'correction', installation_id,
           CAST(m ->> 'amount_micro' AS bigint)
    FROM correction_item, jsonb_array_elements(months) AS m
    ORDER BY 1
"""
_POSTED = """
    SELECT d.adjustment_id, d.kind, d.installation_id, d.amount_micro, d.account_id, d.seq,
           d.tax_micro, coalesce(-p.amount_micro, 0) AS posted_micro,
           coalesce(CAST(p.kind AS text), d.kind) AS posted_kind,
           (SELECT coalesce(sum(CAST(line ->> 4 AS bigint)), 0)
            FROM jsonb_array_elements(CAST(d.lines AS jsonb)) AS line) AS lines_micro
    FROM adjustment d LEFT JOIN posting p ON p.account_id = d.account_id AND p.seq = d.seq
    ORDER BY d.adjustment_id
"""
_STRAY = """
    SELECT p.account_id, p.seq, p.kind FROM posting p
    WHERE p.kind IN ('correction', 'provisional', 'settlement') AND NOT EXISTS (
        SELECT FROM adjustment d WHERE d.account_id = p.account_id AND d.seq = p.seq)
    ORDER BY 1, 2
"""


async def check_adjustments(snapshots: Snapshots, _: Options) -> Result:
    """What tariff told and the ledger posted, one by one; postings that nobody told of."""
    result = Result(RULE)
    told, posted = snapshots.tariff.stream(_TOLD), snapshots.ledger.stream(_POSTED)
    async for adjustment_id, (from_tariff, in_ledger) in merged(told, posted):
        result.count("adjustments")
        _compare(result, f"adjustment {adjustment_id}", from_tariff, in_ledger)
    for row in await snapshots.ledger.rows(_STRAY):
        subject = f"account {row['account_id']}"
        result.broken(subject, f"posting {row['seq']} is a {row['kind']} that nobody told of")
    return result


def _compare(result: Result, subject: str, told: Row | None, posted: Row | None) -> None:
    if told is None or posted is None:
        side = "the tariff service does not know" if told is None else "the ledger did not post"
        result.broken(subject, f"is one that {side}")
        return
    for fact in ("kind", "installation_id", "amount_micro"):
        result.expect(subject, fact, found=posted[fact], expected=told[fact])
    result.expect(
        subject, "micro posted", found=posted["posted_micro"], expected=told["amount_micro"]
    )
    result.expect(subject, "kind posted", found=posted["posted_kind"], expected=told["kind"])
    result.expect(
        subject, "micro of its lines", found=posted["lines_micro"], expected=told["amount_micro"]
    )
