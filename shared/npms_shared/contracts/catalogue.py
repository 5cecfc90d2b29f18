"""Everything that is said on the broker, by whom."""

from npms_shared.contracts import ledger, meter_gateway, notifier, payments, tariff
from npms_shared.contracts.base import Batch, Event

EVENTS: tuple[type[Event], ...] = (
    *ledger.EVENTS,
    *tariff.EVENTS,
    *meter_gateway.EVENTS,
    *payments.EVENTS,
    *notifier.EVENTS,
)
BATCHES: tuple[type[Batch], ...] = (*meter_gateway.BATCHES, *tariff.BATCHES)
