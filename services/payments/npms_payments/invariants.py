"""What must always hold in this database, as bounded queries that run on a schedule.

`noted_at` is the machine's time whatever the clock of the business; the rules look two days
back, the audit at everything. That money settles once, and only after it arrived, is held by
the database's own constraints.
"""

from npms_shared.db.invariants import Rule

RULES = (
    Rule(
        "payments_credited_in_time",
        "the ledger credits a settled payment within five minutes",
        """
        SELECT p.payment_id, p.account_id, p.settled_at
        FROM payment p JOIN arrival a USING (source, issuer, reference)
        WHERE p.settled_at IS NOT NULL AND p.credited_at IS NULL
          AND greatest(a.noted_at, p.noted_at) < now() - interval '5 minutes'
        LIMIT 20
        """,
    ),
    Rule(
        "credits_are_whole",
        "what the ledger credited is what was paid",
        """
        SELECT p.payment_id, p.amount_micro
        FROM arrival a JOIN payment p USING (source, issuer, reference)
        WHERE a.noted_at > now() - interval '2 days' AND p.credited_at IS NOT NULL
          AND p.to_debt_micro + p.to_emergency_micro + p.to_balance_micro
              IS DISTINCT FROM p.amount_micro
        LIMIT 20
        """,
    ),
    Rule(
        "arrivals_have_one_place",
        "money that arrived is a settled payment, waits in suspense or went back from there, whole",
        """
        SELECT a.source, a.issuer, a.reference
        FROM arrival a
        LEFT JOIN payment p ON (p.source, p.issuer, p.reference)
                             = (a.source, a.issuer, a.reference) AND p.settled_at IS NOT NULL
        LEFT JOIN suspense_item s ON (s.source, s.issuer, s.reference)
                                   = (a.source, a.issuer, a.reference)
                                  AND s.state IN ('open', 'returned')
        WHERE a.noted_at > now() - interval '2 days'
          AND ((p.payment_id IS NULL) = (s.suspense_id IS NULL)
               OR (a.amount_micro, a.currency) IS DISTINCT FROM
                  (coalesce(p.amount_micro, s.amount_micro), coalesce(p.currency, s.currency)))
        LIMIT 20
        """,
    ),
    Rule(
        "vouchers_paid_once",
        "each voucher payment is one redeemed voucher, at the value of its batch",
        """
        SELECT a.reference AS serial, p.payment_id
        FROM arrival a
        JOIN payment p ON (p.source, p.issuer, p.reference) = (a.source, a.issuer, a.reference)
        LEFT JOIN voucher v ON v.payment_id = p.payment_id AND v.serial = a.reference
        LEFT JOIN voucher_batch b ON b.batch_id = v.batch_id
        WHERE a.source = 'voucher' AND a.noted_at > now() - interval '2 days'
          AND (b.value_micro, b.currency) IS DISTINCT FROM (p.amount_micro, p.currency)
        LIMIT 20
        """,
    ),
    Rule(
        "redeemed_vouchers_paid",
        "each redeemed voucher has its payment",
        """
        SELECT v.serial, v.payment_id
        FROM voucher v LEFT JOIN payment p
          ON p.payment_id = v.payment_id AND p.source = 'voucher' AND p.reference = v.serial
        WHERE v.redeemed_at > (SELECT max(redeemed_at) FROM voucher) - interval '2 days'
          AND p.payment_id IS NULL
        LIMIT 20
        """,
    ),
    Rule(
        "orders_are_followed_up",
        "an order without an outcome is going to be asked about",
        """
        SELECT p.payment_id, p.state
        FROM payment p LEFT JOIN checkout c USING (payment_id)
        WHERE p.state IN ('created', 'pending', 'outcome_unknown') AND c.query_at IS NULL
        LIMIT 20
        """,
    ),
)
