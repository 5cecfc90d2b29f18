"""What must always hold of the books.

RULES are bounded: each run looks at a window of a hundred accounts that begins at a random one,
and at their last postings. AUDIT says the same and more of everything; the tests ask it.
"""

from npms_ledger.storage import seals
from npms_shared.db.invariants import Rule

_WINDOW = """
    held AS (
        SELECT * FROM position WHERE account_id >= (
            SELECT coalesce(floor(random() * greatest(max(account_id) - 99, 1)), 0) FROM position)
        ORDER BY account_id LIMIT 100
    ),
    recent AS (
        SELECT q.* FROM held h CROSS JOIN LATERAL (
            SELECT * FROM posting p WHERE p.account_id = h.account_id
            ORDER BY p.seq DESC LIMIT 200) q
    ),
"""
_ALL = "held AS (SELECT * FROM position), recent AS (SELECT * FROM posting),"
_CHAINS = """
    chain AS (
        SELECT account_id, seq, bucket, amount_micro, after_micro,
               lag(after_micro) OVER (PARTITION BY account_id, bucket ORDER BY seq) AS before_micro,
               row_number() OVER (PARTITION BY account_id, bucket ORDER BY seq DESC) AS age
        FROM recent
    )
"""

_OF_ACCOUNTS = (
    (
        "postings_chain",
        "each posting's value is the one before it in its bucket plus its amount",
        "SELECT * FROM chain WHERE before_micro + amount_micro <> after_micro",
    ),
    (
        "position_is_last_posting",
        "a position's buckets hold what their last postings left",
        """SELECT h.account_id, c.bucket, c.after_micro
           FROM chain c JOIN held h USING (account_id)
           WHERE c.age = 1 AND c.after_micro <> CASE c.bucket
               WHEN 'balance' THEN h.balance_micro
               WHEN 'debt' THEN -h.debt_micro
               WHEN 'grant' THEN (SELECT coalesce(sum(g.remaining_micro), 0)
                                  FROM granted_credit g WHERE g.account_id = h.account_id)
               ELSE -h.emergency_used_micro END""",
    ),
    (
        "no_money_without_posting",
        "an account without postings has no money",
        """SELECT account_id, balance_micro, debt_micro, emergency_used_micro FROM held h
           WHERE (balance_micro, debt_micro, emergency_used_micro) <> (0, 0, 0)
             AND NOT EXISTS (SELECT 1 FROM posting p WHERE p.account_id = h.account_id)""",
    ),
    (
        "debt_is_sum_of_debts",
        "a position's debt is the sum of its debts",
        """SELECT h.account_id, h.debt_micro, d.remaining FROM held h LEFT JOIN (
               SELECT account_id, sum(remaining_micro) AS remaining FROM debt
               GROUP BY account_id) d USING (account_id)
           WHERE h.debt_micro <> coalesce(d.remaining, 0)""",
    ),
    (
        "timed_are_due",
        "what time recovers, renews or ends has its account waiting for that time",
        """SELECT h.account_id, t.next_at, u.decide_at FROM held h JOIN (
               SELECT account_id, next_at FROM debt WHERE remaining_micro > 0
               UNION ALL SELECT account_id, renews_at FROM granted_credit WHERE NOT ended
               UNION ALL SELECT account_id, ends_at FROM granted_credit
               WHERE NOT ended AND (remaining_micro > 0 OR kind = 'time')) t USING (account_id)
           LEFT JOIN decision_due u USING (account_id)
           WHERE NOT h.closed AND t.next_at IS NOT NULL
             AND (u.decide_at IS NULL OR u.decide_at > t.next_at)""",
    ),
    (
        "postings_have_no_holes",
        "an account's postings are numbered without a hole up to the position's number",
        """SELECT h.account_id, h.seq, r.first, r.last, r.counted FROM held h LEFT JOIN (
               SELECT account_id, min(seq) AS first, max(seq) AS last, count(*) AS counted
               FROM recent GROUP BY account_id) r USING (account_id)
           WHERE h.seq <> coalesce(r.last, 0) OR r.last - r.first + 1 <> r.counted""",
    ),
    (
        "registers_chain",
        "each charge begins at the register where the installation's last one ended",
        """SELECT * FROM (
               SELECT account_id, installation_id, seq, from_register_wh, lag(to_register_wh)
                   OVER (PARTITION BY account_id, installation_id ORDER BY seq) AS ended_wh
               FROM recent WHERE kind = 'charge') c
           WHERE from_register_wh <> ended_wh""",
    ),
    (
        "supply_has_a_reason",
        "a supply is on for a reason that allows it, and for a while only until a known time",
        """SELECT h.account_id, h.supply_on, h.reason FROM held h
           WHERE h.supply_on <> (h.reason IN ('in_credit', 'granted_credit', 'emergency_credit',
                                              'protected', 'friendly_hours', 'holiday', 'kept_on',
                                              'load_limited', 'guardrail'))
              OR (h.reason = 'protected' AND NOT h.protected)
              OR (h.reason = 'kept_on' AND h.keep_on_until IS NULL)
              OR (h.reason = 'load_limited' AND h.limit_w IS NULL)
              OR (h.reason = 'guardrail' AND NOT EXISTS (
                  SELECT 1 FROM held_cut c
                  WHERE c.account_id = h.account_id AND c.left_at IS NULL))
              OR (h.reason IN ('friendly_hours', 'holiday', 'kept_on', 'load_limited')
                  AND NOT EXISTS (
                      SELECT 1 FROM decision_due d WHERE d.account_id = h.account_id))""",
    ),
    (
        "supply_is_told",
        "every open installation's desired state is its account's",
        """SELECT h.account_id, s.installation_id, s.state, h.supply_on
           FROM held h JOIN supply s USING (account_id) JOIN installation i USING (installation_id)
           WHERE i.closed_at IS NULL
             AND ((s.state = 'on') <> h.supply_on OR s.limit_w IS DISTINCT FROM h.limit_w)""",
    ),
    (
        "supply_is_explained",
        "the last decision written down about a supply is what is desired of it",
        """SELECT s.installation_id, s.revision, d.state, d.reason
           FROM held h JOIN supply s USING (account_id) LEFT JOIN supply_decision d
               ON (d.installation_id, d.revision) = (s.installation_id, s.revision)
           WHERE (d.state, d.limit_w, d.reason)
                     IS DISTINCT FROM (s.state, s.limit_w, s.reason)
             AND EXISTS (SELECT 1 FROM supply_decision e
                         WHERE e.installation_id = s.installation_id)""",
    ),
    (
        "held_cuts_stay_on",
        "who is on a list that waits for a person is not cut",
        """SELECT h.account_id, h.reason FROM held h JOIN held_cut c USING (account_id)
           JOIN mass_cut m USING (mass_cut_id)
           WHERE c.left_at IS NULL AND (NOT h.supply_on OR h.reason <> 'guardrail')
             AND m.state = 'waiting'""",
    ),
    (
        "floor_is_kept",
        "credit is said to last only above the floor, or on emergency credit at it",
        """SELECT h.account_id, h.reason, h.balance_micro
           FROM held h JOIN account a USING (account_id)
           JOIN credit_policy c ON c.code = a.policy_code
           JOIN credit_policy_version v ON v.code = c.code AND v.version = c.version
           WHERE NOT EXISTS (SELECT 1 FROM decision_due d WHERE d.account_id = h.account_id)
             AND h.balance_micro < CAST(h.reason = 'in_credit' AS int) + least(
                     CAST(v.document ->> 'floor_micro' AS bigint),
                     CAST(v.document -> 'grace' ->> 'floor_micro' AS bigint))
             AND h.reason IN ('in_credit', 'emergency_credit')""",
    ),
)


def _rules(scope: str) -> tuple[Rule, ...]:
    prefix = f"WITH {scope} {_CHAINS} "
    return tuple(Rule(name, says, prefix + query) for name, says, query in _OF_ACCOUNTS)


RULES = (
    *_rules(_WINDOW),
    Rule(
        "newest_seals_chain",
        "each of the newest seals of a chain follows from the one before it",
        seals.NEWEST_BROKEN,
    ),
)

AUDIT = (
    *_rules(_ALL),
    Rule("seals_fit", "every journal is as it was sealed, in an unbroken chain", seals.BROKEN),
    Rule(
        "journals_sum_to_zero",
        "each journal's customer and system postings sum to zero in each currency",
        """SELECT journal_id, currency, sum(amount_micro) FROM (
               SELECT p.journal_id, a.currency, p.amount_micro
               FROM posting p JOIN account a USING (account_id)
               UNION ALL SELECT journal_id, currency, amount_micro FROM system_posting) j
           GROUP BY journal_id, currency HAVING sum(amount_micro) <> 0""",
    ),
    Rule(
        "balance_is_sum_of_postings",
        "each bucket of a position is the sum of its postings",
        """SELECT h.account_id, h.balance_micro, h.debt_micro, h.emergency_used_micro
           FROM position h LEFT JOIN (
               SELECT account_id,
                      sum(amount_micro) FILTER (WHERE bucket = 'balance') AS balance,
                      sum(amount_micro) FILTER (WHERE bucket = 'debt') AS debt,
                      sum(amount_micro) FILTER (WHERE bucket = 'emergency') AS emergency
               FROM posting GROUP BY account_id) p USING (account_id)
           WHERE (h.balance_micro, -h.debt_micro, -h.emergency_used_micro)
              <> (coalesce(p.balance, 0), coalesce(p.debt, 0), coalesce(p.emergency, 0))""",
    ),
    Rule(
        "debts_are_sums_of_postings",
        "what is left of each debt is the sum of its postings",
        """SELECT account_id, debt_no, d.remaining_micro, p.posted FROM debt d FULL JOIN (
               SELECT account_id, coalesce(item_no, 0) AS debt_no, -sum(amount_micro) AS posted
               FROM posting WHERE bucket = 'debt' GROUP BY 1, 2) p USING (account_id, debt_no)
           WHERE coalesce(d.remaining_micro, 0) <> coalesce(p.posted, 0)""",
    ),
    Rule(
        "grants_are_sums_of_postings",
        "what is left of each granted credit is the sum of its postings",
        """SELECT account_id, grant_no, g.remaining_micro, p.posted
           FROM granted_credit g FULL JOIN (
               SELECT account_id, item_no AS grant_no, sum(amount_micro) AS posted
               FROM posting WHERE bucket = 'grant' GROUP BY 1, 2) p USING (account_id, grant_no)
           WHERE coalesce(g.remaining_micro, 0) <> coalesce(p.posted, 0)""",
    ),
    Rule(
        "vend_charges_are_sums_of_postings",
        "what top-ups paid of monthly charges is what was posted for them",
        """SELECT account_id, name, v.taken, p.posted FROM (
               SELECT account_id, name, sum(taken_micro) AS taken FROM vend_charge GROUP BY 1, 2) v
           FULL JOIN (
               SELECT account_id, label AS name, -sum(amount_micro) AS posted
               FROM posting WHERE kind = 'vend_charge' GROUP BY 1, 2) p USING (account_id, name)
           WHERE coalesce(v.taken, 0) <> coalesce(p.posted, 0)""",
    ),
    Rule(
        "postings_begin_at_one",
        "an account's first posting has number 1",
        "SELECT account_id, min(seq) FROM posting GROUP BY account_id HAVING min(seq) <> 1",
    ),
    Rule(
        "journals_are_known",
        "each posting stands in a journal",
        """SELECT journal_id FROM posting p
           WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.journal_id = p.journal_id)""",
    ),
    Rule(
        "payments_credited_once",
        "a settled payment has one top-up of its amount, unless it had been reversed before",
        """SELECT p.payment_id, p.amount_micro, sum(t.amount_micro) FROM payment p
           LEFT JOIN journal j ON j.payment_id = p.payment_id AND j.kind = 'top_up'
           LEFT JOIN posting t ON t.journal_id = j.journal_id AND t.kind = 'top_up'
           WHERE p.settled_at IS NOT NULL
             AND (p.credit_journal_id IS NOT NULL OR p.reversed_at IS NULL)
           GROUP BY p.payment_id, p.amount_micro
           HAVING count(DISTINCT j.journal_id) <> 1
               OR coalesce(sum(t.amount_micro), 0) <> p.amount_micro""",
    ),
    Rule(
        "adjustments_explain_themselves",
        "each correction, provisional charge and settlement has its lines, and is their sum",
        """SELECT p.account_id, p.seq, p.kind, p.amount_micro FROM posting p
           LEFT JOIN adjustment d USING (account_id, seq)
           WHERE p.kind IN ('correction', 'provisional', 'settlement')
             AND -p.amount_micro IS DISTINCT FROM (
                 SELECT coalesce(sum(CAST(line ->> 4 AS bigint)), 0)
                 FROM jsonb_array_elements(CAST(d.lines AS jsonb)) AS line)""",
    ),
    Rule(
        "charge_lines_sum",
        "the lines of a charge sum to its amount",
        """SELECT account_id, seq, amount_micro FROM posting WHERE kind = 'charge'
           AND -amount_micro <> (
               SELECT coalesce(sum(CAST(line ->> 4 AS bigint)), 0)
               FROM jsonb_array_elements(CAST(lines AS jsonb)) AS line)""",
    ),
)
