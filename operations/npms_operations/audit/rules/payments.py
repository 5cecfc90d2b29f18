"""Each settled payment was credited once, and each reversed one reversed."""

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "payments are credited exactly once"

_PAYMENTS = """
    SELECT payment_id, account_id, amount_micro, currency, source, state, settled_at, credited_at,
           coalesce(to_debt_micro, 0) AS to_debt, coalesce(to_emergency_micro, 0) AS to_emergency,
           coalesce(to_balance_micro, 0) AS to_balance
    FROM payment WHERE settled_at IS NOT NULL OR reversed_at IS NOT NULL ORDER BY payment_id
"""
_CREDITS = """
    WITH moved AS (
        SELECT journal_id, min(account_id) AS account_id, sum(amount_micro) AS amount_micro,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'debt'), 0) AS to_debt,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'emergency'), 0) AS to_emergency,
               coalesce(sum(amount_micro) FILTER (WHERE bucket = 'balance'), 0) AS to_balance
        FROM posting WHERE kind IN ('top_up', 'reversal') GROUP BY journal_id
    ), cleared AS (
        SELECT journal_id, currency, min(ledger_account) AS clearing
        FROM system_posting WHERE ledger_account LIKE 'clearing:%' GROUP BY journal_id, currency
    ), journals AS (
        SELECT j.payment_id, j.kind, m.account_id, m.amount_micro, m.to_debt, m.to_emergency,
               m.to_balance, c.currency, c.clearing
        FROM journal j LEFT JOIN moved m USING (journal_id) LEFT JOIN cleared c USING (journal_id)
        WHERE j.payment_id IS NOT NULL AND j.kind IN ('top_up', 'reversal')
    )
    SELECT coalesce(p.payment_id, j.payment_id) AS payment_id, p.settled_at, p.reversed_at,
           count(*) FILTER (WHERE j.kind = 'top_up') AS credits,
           count(*) FILTER (WHERE j.kind = 'reversal') AS reversals,
           array_agg(DISTINCT j.account_id) FILTER (WHERE j.kind = 'top_up') AS account_ids,
           array_agg(DISTINCT j.clearing) FILTER (WHERE j.kind IS NOT NULL) AS clearings,
           array_agg(DISTINCT j.currency) FILTER (WHERE j.kind IS NOT NULL) AS currencies,
           coalesce(sum(j.amount_micro) FILTER (WHERE j.kind = 'top_up'), 0) AS credited_micro,
           coalesce(sum(j.amount_micro) FILTER (WHERE j.kind = 'reversal'), 0) AS reversed_micro,
           coalesce(sum(j.to_debt) FILTER (WHERE j.kind = 'top_up'), 0) AS to_debt,
           coalesce(sum(j.to_emergency) FILTER (WHERE j.kind = 'top_up'), 0) AS to_emergency,
           coalesce(sum(j.to_balance) FILTER (WHERE j.kind = 'top_up'), 0) AS to_balance
    FROM payment p FULL JOIN journals j USING (payment_id)
    GROUP BY 1, p.settled_at, p.reversed_at ORDER BY 1
"""
_SETTLED_SUMS = """
    SELECT 'clearing:' || source AS account, currency, -sum(amount_micro) AS amount_micro
    FROM payment WHERE settled_at IS NOT NULL AND state <> 'reversed' GROUP BY source, currency
"""
_CLEARING_SUMS = """
    SELECT ledger_account AS account, currency, sum(amount_micro) AS amount_micro
    FROM system_posting WHERE ledger_account LIKE 'clearing:%' GROUP BY ledger_account, currency
"""
PARTS = ("to_debt", "to_emergency", "to_balance")


async def check_payments(snapshots: Snapshots, _: Options) -> Result:
    """Payments against journals one by one, then the clearing accounts as a whole."""
    result = Result(RULE, {"settled payments": 0, "reversed": 0})
    streams = snapshots.payments.stream(_PAYMENTS), snapshots.ledger.stream(_CREDITS)
    async for payment_id, (payment, credit) in merged(*streams):
        subject = f"payment {payment_id}"
        if payment is not None:
            _count(result, payment)
        if payment is None or payment["settled_at"] is None:
            _check_uncredited(result, subject, credit)
        elif credit is None:
            result.broken(subject, "settled, and the ledger does not know it")
        else:
            _check_credit(result, subject, payment=payment, credit=credit)
    await _check_clearing(result, snapshots)
    return result


def _count(result: Result, payment: Row) -> None:
    result.count("settled payments", int(payment["settled_at"] is not None))
    result.count("reversed", int(payment["state"] == "reversed"))


def _check_uncredited(result: Result, subject: str, credit: Row | None) -> None:
    """Of a payment that never settled nothing may have been posted."""
    if credit is not None and (credit["credits"] or credit["reversals"]):
        posted = f"{credit['credits']} credits and {credit['reversals']} reversals"
        result.broken(subject, f"{posted} without a settled payment")


def _check_credit(result: Result, subject: str, *, payment: Row, credit: Row) -> None:
    is_reversed = payment["state"] == "reversed"
    times = credit["credits"], credit["reversals"]
    if is_reversed and times == (0, 0) and credit["reversed_at"] is not None:
        return  # the reversal was heard before the settlement
    result.expect(
        subject, "(credits, reversals) in the ledger", found=times, expected=(1, int(is_reversed))
    )
    if not times[0]:
        return
    amount = payment["amount_micro"]
    credited, reversed_ = credit["credited_micro"], credit["reversed_micro"]
    result.expect(subject, "credited micro", found=credited, expected=amount * times[0])
    result.expect(subject, "reversed micro", found=reversed_, expected=-amount * times[1])
    result.expect(
        subject,
        "posted to",
        found=[*credit["account_ids"], *credit["clearings"], *credit["currencies"]],
        expected=[payment["account_id"], f"clearing:{payment['source']}", payment["currency"]],
    )
    if payment["credited_at"] is None:
        result.broken(subject, "credited, and payments has not heard of it")
    elif times[0] == 1:
        found = tuple(payment[part] for part in PARTS)
        posted = tuple(credit[part] for part in PARTS)
        result.expect(subject, f"{', '.join(PARTS)} as heard", found=found, expected=posted)


async def _check_clearing(result: Result, snapshots: Snapshots) -> None:
    settled = {
        (row["account"], row["currency"]): row["amount_micro"]
        for row in await snapshots.payments.rows(_SETTLED_SUMS)
    }
    cleared = {
        (row["account"], row["currency"]): row["amount_micro"]
        for row in await snapshots.ledger.rows(_CLEARING_SUMS)
    }
    for account, currency in sorted(settled.keys() | cleared.keys()):
        result.count("clearing accounts")
        key = account, currency
        result.expect(
            f"{account} in {currency}",
            "micro-units",
            found=cleared.get(key, 0),
            expected=settled.get(key, 0),
        )
