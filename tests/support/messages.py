"""Messages as the services publish them."""

from npms_shared.clock import wall_now
from npms_shared.contracts.base import Event
from npms_shared.ids import new_id
from npms_shared.messaging.publisher import Outgoing
from npms_shared.messaging.topology import events_exchange


def message_of(event: Event, *, exchange: str = "", key: str = "") -> Outgoing:
    """To its service's exchange by its name, unless said otherwise."""
    return Outgoing(
        message_id=new_id(),
        exchange=exchange or events_exchange(event.publisher),
        routing_key=key or event.name,
        type=event.event_type(),
        source=f"/npms/{event.publisher}",
        subject="1",
        time=wall_now(),
        body=event.model_dump_json().encode(),
    )
