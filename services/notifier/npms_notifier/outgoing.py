"""What happened here → what is said on the broker."""

from datetime import datetime

from npms_notifier.domain.deliveries import State
from npms_notifier.domain.records import ClaimedDelivery, Ticket
from npms_shared.contracts.notifier import DeliveryReported, TicketClosed, TicketOpened


def delivery_reported(delivery: ClaimedDelivery, *, state: State, at: datetime) -> DeliveryReported:
    """Of one that is settled: sent, or given up."""
    return DeliveryReported(
        delivery_id=delivery.delivery_id,
        account_id=delivery.account_id,
        channel=delivery.channel.value,
        template=delivery.template,
        state="sent" if state is State.SENT else "failed",
        attempts=delivery.attempts,
        reported_at=at,
    )


def ticket_opened(ticket: Ticket) -> TicketOpened:
    return TicketOpened(
        ticket_id=ticket.ticket_id,
        account_id=ticket.account_id,
        subject=ticket.subject,
        opened_at=ticket.opened_at,
    )


def ticket_closed(ticket: Ticket, *, at: datetime) -> TicketClosed:
    return TicketClosed(ticket_id=ticket.ticket_id, account_id=ticket.account_id, closed_at=at)
