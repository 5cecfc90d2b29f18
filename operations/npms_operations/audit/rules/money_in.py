"""Money that came in lies in one place: a payment or suspense; each used voucher is a payment."""

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Snapshots

RULE = "money received and vouchers used are each one payment"

_COUNTS = """
    SELECT (SELECT count(*) FROM arrival),
           (SELECT count(*) FROM suspense_item WHERE state = 'open'),
           (SELECT count(*) FROM voucher WHERE state = 'redeemed')
"""
_ARRIVALS = """
    WITH paid AS (
        SELECT source, issuer, reference, amount_micro, currency, payment_id
        FROM payment WHERE settled_at IS NOT NULL
    )
    SELECT source, issuer, reference, a.amount_micro AS arrived_micro,
           p.amount_micro AS paid_micro, s.amount_micro AS suspended_micro, s.state
    FROM arrival a
    FULL JOIN paid p USING (source, issuer, reference)
    LEFT JOIN suspense_item s USING (source, issuer, reference)
    WHERE a.amount_micro IS NULL
       OR coalesce(p.amount_micro, s.amount_micro) IS DISTINCT FROM a.amount_micro
       OR coalesce(p.currency, s.currency) IS DISTINCT FROM a.currency
       OR (s.suspense_id IS NOT NULL AND s.payment_id IS DISTINCT FROM p.payment_id)
    ORDER BY source, issuer, reference
"""
_VOUCHERS = """
    WITH used AS (
        SELECT v.serial, v.payment_id, b.value_micro, b.currency
        FROM voucher v JOIN voucher_batch b USING (batch_id) WHERE v.state = 'redeemed'
    ), paid AS (
        SELECT payment_id, reference, amount_micro, currency
        FROM payment WHERE source = 'voucher' AND settled_at IS NOT NULL
    )
    SELECT coalesce(u.serial, p.reference) AS serial, u.payment_id AS used_for, p.payment_id,
           u.value_micro, p.amount_micro
    FROM used u FULL JOIN paid p ON p.payment_id = u.payment_id
    WHERE u.payment_id IS NULL OR p.payment_id IS NULL OR u.serial IS DISTINCT FROM p.reference
       OR (u.value_micro, u.currency) IS DISTINCT FROM (p.amount_micro, p.currency)
    ORDER BY 1
"""
_USED_TWICE = """
    SELECT payment_id, count(*) AS number FROM voucher WHERE payment_id IS NOT NULL
    GROUP BY payment_id HAVING count(*) > 1 ORDER BY payment_id
"""


async def check_money_in(snapshots: Snapshots, _: Options) -> Result:
    """Arrivals against payments and suspense, vouchers against payments."""
    result, payments = Result(RULE), snapshots.payments
    arrivals, suspended, vouchers = (await payments.rows(_COUNTS))[0]
    result.count("arrivals", arrivals)
    result.count("in suspense", suspended)
    result.count("vouchers used", vouchers)
    for row in await payments.rows(_ARRIVALS):
        subject = f"money {row['source']}/{row['issuer']}/{row['reference']}"
        seen = f"arrived {row['arrived_micro']}, paid {row['paid_micro']}"
        result.broken(subject, f"{seen}, in suspense {row['suspended_micro']} ({row['state']})")
    for row in await payments.rows(_VOUCHERS):
        used = f"used for payment {row['used_for']}, worth {row['value_micro']}"
        subject = f"voucher {row['serial']}"
        result.broken(subject, f"{used}; payment {row['payment_id']} of {row['amount_micro']}")
    for row in await payments.rows(_USED_TWICE):
        result.broken(f"payment {row['payment_id']}", f"{row['number']} vouchers were used for it")
    return result
