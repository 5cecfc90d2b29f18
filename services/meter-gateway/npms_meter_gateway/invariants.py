"""What must always hold in this database."""

from npms_shared.db.invariants import Rule

RULES = (
    Rule(
        "gateway_registers_monotonic",
        "the registers of an installation never fall from one reading to the next",
        """
        SELECT installation_id, taken_at, register_wh, before_wh FROM (
            SELECT installation_id, taken_at, register_wh, lag(register_wh)
                   OVER (PARTITION BY installation_id ORDER BY taken_at) AS before_wh
            FROM reading
            WHERE installation_id IN (
                SELECT installation_id FROM meter_state ORDER BY seen_at DESC NULLS LAST LIMIT 200
            )
        ) r WHERE register_wh < before_wh LIMIT 20
        """,
    ),
    Rule(
        "gateway_readings_have_installation",
        "every reading belongs to an installation and does not precede its opening",
        """
        SELECT r.installation_id, r.taken_at FROM (
            SELECT installation_id, taken_at FROM reading LIMIT 5000
        ) r LEFT JOIN installation i USING (installation_id)
        WHERE i.installation_id IS NULL OR r.taken_at < date_trunc('second', i.opened_at) LIMIT 20
        """,
    ),
    Rule(
        "gateway_held_readings_have_decisions",
        "a held reading waits, or its last decision is what became of it",
        """
        SELECT h.held_id, h.state FROM (
            SELECT held_id, state FROM held_reading ORDER BY held_id DESC LIMIT 2000
        ) h WHERE h.state <> coalesce((
            SELECT decision FROM held_decision d WHERE d.held_id = h.held_id
            ORDER BY decision_id DESC LIMIT 1
        ), 'held') LIMIT 20
        """,
    ),
    Rule(
        "gateway_reckonings_begin_at_a_reading",
        "a meter is reckoned anew from a register that was accepted, or from its opening",
        """
        SELECT k.installation_id, k.from_at, k.base_wh FROM (
            SELECT * FROM reckoning ORDER BY decided_at DESC LIMIT 500
        ) k JOIN installation i USING (installation_id)
        WHERE NOT EXISTS (
            SELECT FROM reading r WHERE r.installation_id = k.installation_id
                AND r.taken_at = k.from_at AND r.register_wh = k.base_wh
        ) AND (k.from_at, k.base_wh)
            <> (date_trunc('second', i.opened_at), i.opening_register_wh) LIMIT 20
        """,
    ),
    Rule(
        "gateway_settled_supplies_are_in_place",
        "a settled supply was reported for its desired revision, verified unless it has no relay",
        """
        SELECT installation_id, desired_revision, reported_revision FROM supply
        WHERE settled AND (
            reported_revision IS DISTINCT FROM desired_revision
            OR (reported_verified AND reported_state <> desired_state)
            OR (NOT reported_verified AND reported_state <> 'unknown')
        ) LIMIT 20
        """,
    ),
    Rule(
        "gateway_commands_end_once_their_supply_is_settled",
        "no command to a meter is left open once its supply is settled",
        """
        SELECT c.command_id, c.installation_id, c.life FROM supply_command c
        JOIN supply s USING (installation_id)
        WHERE c.closed_at IS NULL AND s.settled AND s.renew_at IS NULL
          AND c.created_at < s.reported_at LIMIT 20
        """,
    ),
)
