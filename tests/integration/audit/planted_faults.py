"""Faults that the audit must find: how each is planted, and the one rule that it breaks."""

from dataclasses import dataclass

from npms_operations.audit.rules import (
    adjustments,
    balances,
    charges,
    debts_and_grants,
    held,
    journals,
    money_in,
    payments,
    readings,
    registers,
    seals,
    supplies,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`statements` plant it in one service's database; a finding must begin with `subject`.

    What changes a sealed row breaks the rule of seals as well, whatever it fakes besides.
    """

    name: str
    rule: str
    service: str
    subject: str
    statements: str
    unseals: bool = False

    def breaks(self) -> set[str]:
        return {self.rule, seals.RULE} if self.unseals else {self.rule}


FAULTS = (
    Fault(
        "journals that do not sum to zero, though together they do",
        journals.RULE,
        "ledger",
        "journal",
        """
        UPDATE system_posting SET amount_micro = amount_micro + 1
        WHERE ledger_account = 'clearing:bank' AND amount_micro = -80000000;
        UPDATE system_posting SET amount_micro = amount_micro - 1
        WHERE ledger_account = 'clearing:bank' AND amount_micro = -30000000
        """,
        unseals=True,
    ),
    Fault(
        "tax that nobody was charged",
        journals.RULE,
        "ledger",
        "tax_payable in KES",
        """
        UPDATE system_posting s SET amount_micro = s.amount_micro
            + CASE s.ledger_account WHEN 'tax_payable' THEN 1 ELSE -1 END
        FROM (SELECT min(journal_id::text)::uuid AS id FROM journal WHERE kind = 'charges') AS one
        WHERE s.journal_id = one.id
        """,
        unseals=True,
    ),
    Fault(
        "a balance that nobody posted",
        balances.RULE,
        "ledger",
        "account 1",
        "UPDATE position SET balance_micro = balance_micro + 1 WHERE account_id = 1",
    ),
    Fault(
        "a debt that nobody posted",
        balances.RULE,
        "ledger",
        "account 2",
        "UPDATE position SET debt_micro = debt_micro + 1 WHERE account_id = 2",
    ),
    Fault(
        "a hole in the numbers",
        balances.RULE,
        "ledger",
        "account 1",
        """
        UPDATE posting p SET seq = p.seq + 1 FROM position o
        WHERE o.account_id = 1 AND (p.account_id, p.seq) = (o.account_id, o.seq);
        UPDATE adjustment d SET seq = d.seq + 1 FROM position o
        WHERE o.account_id = 1 AND (d.account_id, d.seq) = (o.account_id, o.seq);
        UPDATE position SET seq = seq + 1 WHERE account_id = 1
        """,
        unseals=True,
    ),
    Fault(
        "a value after a posting that does not follow",
        balances.RULE,
        "ledger",
        "account 1",
        "UPDATE posting SET after_micro = after_micro + 1 WHERE account_id = 1 AND seq = 4",
        unseals=True,
    ),
    Fault(
        "a final closing register that was not charged up to",
        registers.RULE,
        "ledger",
        "installation 4",
        """
        UPDATE installation SET closing_register_wh = closing_register_wh + 1
        WHERE installation_id = 4
        """,
    ),
    Fault(
        "a charge that does not begin where the last ended",
        registers.RULE,
        "ledger",
        "installation 1",
        """
        UPDATE posting SET from_register_wh = from_register_wh - 1
        WHERE account_id = 1 AND kind = 'charge' AND seq = 6
        """,
        unseals=True,
    ),
    Fault(
        "energy that was rated and not charged",
        registers.RULE,
        "tariff",
        "installation 2",
        """
        UPDATE rating_state
        SET register_wh = register_wh + 1, rated_wh = rated_wh + 1, hour_wh = hour_wh + 1
        WHERE installation_id = 2
        """,
    ),
    Fault(
        "usage by hour that was not rated",
        registers.RULE,
        "tariff",
        "installation 3",
        "UPDATE rating_state SET hour_wh = hour_wh + 1 WHERE installation_id = 3",
    ),
    Fault(
        "an hour that no day holds",
        registers.RULE,
        "tariff",
        "installation 3",
        """
        UPDATE usage_hour SET energy_wh = energy_wh + 1 WHERE installation_id = 3
        AND hour_s = (SELECT max(hour_s) FROM usage_hour WHERE installation_id = 3)
        """,
    ),
    Fault(
        "a day that no month holds",
        registers.RULE,
        "tariff",
        "installation 1",
        """
        UPDATE usage_day SET amount_micro = amount_micro + 1 WHERE installation_id = 1
        AND day_s = (SELECT min(day_s) FROM usage_day WHERE installation_id = 1)
        """,
    ),
    Fault(
        "an installation that tariff never heard of",
        registers.RULE,
        "meter-gateway",
        "installation 99",
        """
        INSERT INTO installation (installation_id, account_id, partition, serial, profile, host,
            port, unit_id, max_power_w, opening_register_wh, opened_at)
        VALUES (99, 99, 1, 'M99', 'p', '', 0, 1, 1, 0, now())
        """,
    ),
    Fault(
        "charges by another price than the plan's",
        charges.RULE,
        "tariff",
        "installation 2",
        """
        UPDATE plan_version SET document = jsonb_set(document, '{fixed,0,amount}', '"5.000001"')
        WHERE version = 1
        """,
    ),
    Fault(
        "a charge that its lines do not explain",
        charges.RULE,
        "ledger",
        "installation 1",
        "UPDATE posting SET lines = '[]' WHERE account_id = 1 AND seq = 5",
        unseals=True,
    ),
    Fault(
        "a reading that was neither billed nor parked",
        readings.RULE,
        "tariff",
        "installation 1",
        "UPDATE rating_state SET readings_billed = readings_billed - 1 WHERE installation_id = 1",
    ),
    Fault(
        "a reading that was billed twice",
        readings.RULE,
        "tariff",
        "installation 2",
        "UPDATE rating_state SET readings_billed = readings_billed + 1 WHERE installation_id = 2",
    ),
    Fault(
        "a payment credited twice, in perfect double entry",
        payments.RULE,
        "ledger",
        "payment",
        """
        INSERT INTO journal (journal_id, kind, posted_at, payment_id)
        SELECT '00000000-0000-7000-8000-000000000001', 'top_up', now(), min(payment_id::text)::uuid
        FROM payment WHERE source = 'voucher';
        INSERT INTO system_posting VALUES
            ('00000000-0000-7000-8000-000000000001', 'clearing:voucher', 'KES', -100000000);
        INSERT INTO posting (account_id, seq, journal_id, amount_micro, after_micro, bucket, kind)
        SELECT account_id, seq + 1, '00000000-0000-7000-8000-000000000001', 100000000,
               balance_micro + 100000000, 'balance', 'top_up'
        FROM position WHERE account_id = 1;
        UPDATE position SET seq = seq + 1, balance_micro = balance_micro + 100000000
        WHERE account_id = 1
        """,
        unseals=True,
    ),
    Fault(
        "a settled payment that was never credited",
        payments.RULE,
        "payments",
        "payment 00000000-0000-7000-8000-000000000009",
        """
        INSERT INTO arrival VALUES ('bank', '', 'statement-9', 7000000, 'KES', now());
        INSERT INTO payment (payment_id, account_id, amount_micro, currency, source, reference,
            state, created_at, created_by, settled_at)
        VALUES ('00000000-0000-7000-8000-000000000009', 1, 7000000, 'KES', 'bank', 'statement-9',
            'settled', now(), 'test', now())
        """,
    ),
    Fault(
        "a credit that payments has not heard of",
        payments.RULE,
        "payments",
        "payment",
        "UPDATE payment SET credited_at = NULL WHERE reference = 'statement-1'",
    ),
    Fault(
        "a payment taken back from the customer and kept from the payer",
        payments.RULE,
        "payments",
        "clearing:online:paysim in KES",
        "UPDATE payment SET state = 'settled' WHERE state = 'reversed'",
    ),
    Fault(
        "money that arrived and went nowhere",
        money_in.RULE,
        "payments",
        "money bank//statement-9",
        "INSERT INTO arrival VALUES ('bank', '', 'statement-9', 7000000, 'KES', now())",
    ),
    Fault(
        "two vouchers used for one payment",
        money_in.RULE,
        "payments",
        "voucher",
        """
        UPDATE voucher SET state = 'redeemed', redeemed_at = now(), payment_id =
            (SELECT min(payment_id::text)::uuid FROM payment WHERE source = 'voucher')
        WHERE state = 'active'
        """,
    ),
    Fault(
        "a desired state that was not decided",
        supplies.RULE,
        "ledger",
        "installation 1",
        "UPDATE position SET supply_on = NOT supply_on WHERE account_id = 1",
    ),
    Fault(
        "a revision that the gateway was not told",
        supplies.RULE,
        "ledger",
        "installation 2",
        "UPDATE supply SET revision = revision + 1 WHERE installation_id = 2",
    ),
    Fault(
        "a relay that defies the decision",
        supplies.RULE,
        "meter-gateway",
        "installation 2",
        """
        UPDATE supply SET reported_at = decided_at + interval '11 minutes',
            reported_state = CASE desired_state WHEN 'on' THEN 'off' ELSE 'on' END
        WHERE installation_id = 2
        """,
    ),
    Fault(
        "a posting changed in every place that repeats it",
        seals.RULE,
        "ledger",
        "journal",
        """
        UPDATE posting SET lines = replace(lines, '"energy"', '"energies"')
        WHERE account_id = 1 AND seq = (
            SELECT min(seq) FROM posting WHERE account_id = 1 AND energy_wh > 0)
        """,
    ),
    Fault(
        "a journal that was never sealed",
        seals.RULE,
        "ledger",
        "journal 00000000-0000-7000-8000-000000000002",
        """
        INSERT INTO journal (journal_id, kind, posted_at)
        VALUES ('00000000-0000-7000-8000-000000000002', 'top_up', now());
        INSERT INTO system_posting VALUES
            ('00000000-0000-7000-8000-000000000002', 'opening_debt', 'KES', 5),
            ('00000000-0000-7000-8000-000000000002', 'money_fixes', 'KES', -5)
        """,
    ),
    Fault(
        "a seal made anew after its journal was changed",
        seals.RULE,
        "ledger",
        "journal",
        "UPDATE seal SET digest = sha256(digest), hash = sha256(prev_hash || sha256(digest)) "
        "WHERE seq = 1",
    ),
    Fault(
        "the end of a chain cut off",
        seals.RULE,
        "ledger",
        "chain",
        "DELETE FROM seal USING seal_head h WHERE (seal.chain, seal.seq) = (h.chain, h.seq)",
    ),
    Fault(
        "an estimate that was settled by a part only",
        adjustments.RULE,
        "tariff",
        "adjustment",
        """
        UPDATE provisional SET amount_micro = amount_micro + 1 WHERE settlement_id IS NOT NULL
          AND adjustment_id = (SELECT min(adjustment_id::text)::uuid FROM provisional
                               WHERE settlement_id IS NOT NULL)
        """,
    ),
    Fault(
        "an adjustment that the ledger never posted",
        adjustments.RULE,
        "tariff",
        "adjustment",
        """
        INSERT INTO provisional (installation_id, day_s, end_s, adjustment_id, plan_version_id,
                                 energy_wh, amount_micro, lines, charged_at)
        VALUES (1, 1, 2, gen_random_uuid(), 1, 5, 5, '[]', now())
        """,
    ),
    Fault(
        "an adjustment whose lines say something else",
        adjustments.RULE,
        "ledger",
        "adjustment",
        """
        UPDATE adjustment SET lines = '[["energy","peak",1,5,1]]'
        WHERE adjustment_id = (SELECT min(adjustment_id::text)::uuid FROM adjustment)
        """,
    ),
    Fault(
        "a debt that was forgiven in silence",
        debts_and_grants.RULE,
        "ledger",
        "account 2",
        """
        UPDATE debt SET remaining_micro = remaining_micro + 1 WHERE account_id = 2 AND debt_no = 0;
        UPDATE debt SET remaining_micro = remaining_micro - 1 WHERE account_id = 2 AND debt_no = 1
        """,
    ),
    Fault(
        "what expired of one grant noted on another",
        debts_and_grants.RULE,
        "ledger",
        "account 1",
        "UPDATE posting SET item_no = 9 WHERE account_id = 1 AND kind = 'grant_expired'",
        unseals=True,
    ),
    Fault(
        "a top-up charge said to be paid and never taken",
        debts_and_grants.RULE,
        "ledger",
        "account 3",
        "UPDATE vend_charge SET taken_micro = taken_micro - 1 WHERE account_id = 3",
    ),
    Fault(
        "a held reading that was let go without a word",
        held.RULE,
        "meter-gateway",
        "held reading",
        """
        INSERT INTO held_reading (installation_id, taken_at, register_wh, reason, source, held_at,
                                  state)
        SELECT 1, now(), 5, 'backwards', 'poll', now(), 'rejected'
        """,
    ),
    Fault(
        "a held reading that was released and never stored",
        held.RULE,
        "meter-gateway",
        "held reading",
        """
        WITH one AS (
            INSERT INTO held_reading (installation_id, taken_at, register_wh, reason, source,
                                      held_at, state)
            SELECT 1, now(), 5, 'jump', 'poll', now(), 'released' RETURNING held_id
        )
        INSERT INTO held_decision (held_id, decision, register_wh, by_subject, reason, decided_at)
        SELECT held_id, 'released', 5, 'x', 'x', now() FROM one
        """,
    ),
    Fault(
        "a meter reckoned from a register that was never accepted",
        held.RULE,
        "meter-gateway",
        "installation 1",
        """
        INSERT INTO reckoning (installation_id, from_at, raw_wh, base_wh, ratio, by_subject, reason,
                               decided_at)
        SELECT 1, now(), 5, 7, 40, 'x', 'x', now()
        """,
    ),
)
