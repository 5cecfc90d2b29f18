"""What must always hold in this service's database."""

from npms_shared.db.invariants import Rule

RULES = (
    Rule(
        name="deliveries_are_attended_to",
        says="no delivery has been due for more than an hour",
        query="""
            SELECT delivery_id, account_id, state, due_at FROM delivery
            WHERE due_at < now() - interval '1 hour' LIMIT 20
            """,
    ),
    Rule(
        name="held_deliveries_end",
        says="no delivery is held an hour longer than its address had time to be verified",
        query="""
            SELECT delivery_id, account_id, held_until FROM delivery
            WHERE held_until < now() - interval '1 hour' LIMIT 20
            """,
    ),
    Rule(
        name="open_tickets_wait_for_us",
        says="a ticket is open when the customer wrote last, answered when an operator did",
        query="""
            SELECT ticket_id, state, last.author FROM ticket
            JOIN LATERAL (
                SELECT author FROM ticket_message AS m WHERE m.ticket_id = ticket.ticket_id
                ORDER BY message_id DESC LIMIT 1
            ) AS last ON true
            WHERE state <> 'closed' AND (state = 'open') <> (last.author = 'customer') LIMIT 20
            """,
    ),
)
