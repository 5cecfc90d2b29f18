"""Every journal sums to zero in each currency, and so does the whole ledger."""

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Snapshots

RULE = "journals sum to zero"

_SUMS = """
    SELECT journal_id, currency, sum(amount_micro) AS sum_micro
    FROM (
        SELECT p.journal_id, a.currency, sum(p.amount_micro) AS amount_micro
        FROM posting p LEFT JOIN account a USING (account_id) GROUP BY 1, 2
        UNION ALL
        SELECT journal_id, currency, amount_micro FROM system_posting
    ) AS entries
    GROUP BY journal_id, currency
"""
_BROKEN = f"SELECT * FROM ({_SUMS}) AS sums WHERE sum_micro <> 0 ORDER BY journal_id"  # noqa: S608
_TOTALS = f"""
    SELECT currency, sum(sum_micro) AS sum_micro, count(*) AS number
    FROM ({_SUMS}) AS sums GROUP BY currency ORDER BY currency
"""  # noqa: S608
_ORPHANS = """
    SELECT DISTINCT p.journal_id FROM posting p
    WHERE NOT EXISTS (SELECT FROM journal j WHERE j.journal_id = p.journal_id) ORDER BY 1
"""
_SYSTEM = """
    SELECT currency, ledger_account, sum(amount_micro) AS amount_micro
    FROM system_posting WHERE ledger_account IN ('energy_revenue', 'tax_payable')
    GROUP BY currency, ledger_account
"""
_CHARGED = """
    WITH charged AS (
        SELECT account_id, -amount_micro AS amount_micro, tax_micro
        FROM posting WHERE kind IN ('charge', 'vend_charge')
        UNION ALL SELECT account_id, amount_micro, tax_micro FROM adjustment
    )
    SELECT a.currency, sum(c.amount_micro - c.tax_micro) AS energy_revenue,
           sum(c.tax_micro) AS tax_payable
    FROM charged c JOIN account a USING (account_id)
    GROUP BY a.currency ORDER BY a.currency
"""


async def check_journals(snapshots: Snapshots, _: Options) -> Result:
    """Journals, the totals of each currency, and revenue and tax against what was charged."""
    result, ledger = Result(RULE), snapshots.ledger
    result.count("journals", await ledger.value("SELECT count(*) FROM journal"))
    for row in await ledger.rows(_BROKEN):
        subject = f"journal {row['journal_id']}"
        result.broken(subject, f"sums to {row['sum_micro']} micro {row['currency']}")
    for row in await ledger.rows(_ORPHANS):
        result.broken(f"journal {row['journal_id']}", "has postings and no record of its own")
    for row in await ledger.rows(_TOTALS):
        result.count("currencies")
        result.expect(f"ledger in {row['currency']}", "sum", found=row["sum_micro"], expected=0)
    await _check_revenue(result, snapshots)
    return result


async def _check_revenue(result: Result, snapshots: Snapshots) -> None:
    """What is owed to ourselves and the state is what the customers were charged, no more."""
    found = {
        (row["currency"], row["ledger_account"]): row["amount_micro"]
        for row in await snapshots.ledger.rows(_SYSTEM)
    }
    for row in await snapshots.ledger.rows(_CHARGED):
        for name in ("energy_revenue", "tax_payable"):
            posted = found.pop((row["currency"], name), 0)
            subject = f"{name} in {row['currency']}"
            result.expect(subject, "micro-units posted", found=posted, expected=row[name])
    for (currency, name), amount_micro in found.items():
        result.broken(f"{name} in {currency}", f"{amount_micro} micro without any charge")
