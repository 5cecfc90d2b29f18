"""Debts, granted credits and charges of top-ups: what is left of each is what its postings left."""

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Snapshots

RULE = "debts, grants and top-up charges are the sums of their postings"

_COUNTS = (
    ("debts", "SELECT count(*) FROM debt"),
    ("granted credits", "SELECT count(*) FROM granted_credit"),
    ("top-up charges", "SELECT count(*) FROM vend_charge"),
)
_DEBTS = """
    SELECT account_id, number, coalesce(d.remaining_micro, 0) AS left_micro,
           coalesce(p.left_micro, 0) AS posted_micro
    FROM (SELECT account_id, debt_no AS number, remaining_micro FROM debt) d FULL JOIN (
        SELECT account_id, coalesce(item_no, 0) AS number,
               CAST(-sum(amount_micro) AS bigint) AS left_micro
        FROM posting WHERE bucket = 'debt' GROUP BY 1, 2) p USING (account_id, number)
    WHERE coalesce(d.remaining_micro, 0) <> coalesce(p.left_micro, 0) ORDER BY 1, 2
"""
_GRANTS = """
    SELECT account_id, number, coalesce(g.remaining_micro, 0) AS left_micro,
           coalesce(p.left_micro, 0) AS posted_micro
    FROM (SELECT account_id, grant_no AS number, remaining_micro FROM granted_credit) g FULL JOIN (
        SELECT account_id, item_no AS number, CAST(sum(amount_micro) AS bigint) AS left_micro
        FROM posting WHERE bucket = 'grant' GROUP BY 1, 2) p USING (account_id, number)
    WHERE coalesce(g.remaining_micro, 0) <> coalesce(p.left_micro, 0) ORDER BY 1, 2
"""
_VENDS = """
    SELECT account_id, name AS number, coalesce(v.taken_micro, 0) AS left_micro,
           coalesce(p.taken_micro, 0) AS posted_micro
    FROM (SELECT account_id, name, CAST(sum(taken_micro) AS bigint) AS taken_micro
          FROM vend_charge GROUP BY 1, 2) v FULL JOIN (
        SELECT account_id, label AS name, CAST(-sum(amount_micro) AS bigint) AS taken_micro
        FROM posting WHERE kind = 'vend_charge' GROUP BY 1, 2) p USING (account_id, name)
    WHERE coalesce(v.taken_micro, 0) <> coalesce(p.taken_micro, 0) ORDER BY 1, 2
"""
_KINDS = (("debt", _DEBTS), ("grant", _GRANTS), ("top-up charge", _VENDS))
_OVERDRAWN = """
    SELECT account_id, item_no, min(after) AS lowest_micro FROM (
        SELECT account_id, item_no, sum(amount_micro) OVER (
            PARTITION BY account_id, item_no ORDER BY seq) AS after
        FROM posting WHERE bucket = 'grant') AS g
    GROUP BY account_id, item_no HAVING min(after) < 0 ORDER BY 1, 2
"""


async def check_credits(snapshots: Snapshots, _: Options) -> Result:
    """One by one; a granted credit never lent more than it held."""
    result, ledger = Result(RULE), snapshots.ledger
    for what, query in _COUNTS:
        result.count(what, await ledger.value(query))
    for what, query in _KINDS:
        for row in await ledger.rows(query):
            result.expect(
                f"account {row['account_id']}",
                f"micro of {what} {row['number']}",
                found=row["left_micro"],
                expected=row["posted_micro"],
            )
    for row in await ledger.rows(_OVERDRAWN):
        subject = f"account {row['account_id']}"
        result.broken(subject, f"grant {row['item_no']} fell to {row['lowest_micro']} micro")
    return result
