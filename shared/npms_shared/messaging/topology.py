"""Exchanges, queues and who hears what: the one table from which the broker is set up.

What a service declares and has rights to is derived from it in `parts`.
"""

from dataclasses import dataclass

from npms_shared.contracts import catalogue
from npms_shared.contracts.base import Batch, Event
from npms_shared.contracts.ledger import (
    AccountClosed,
    AccountOpened,
    CreditExhausted,
    CreditPosted,
    CreditRestored,
    EmergencyCreditAccepted,
    EmergencyCreditOffered,
    InstallationClosed,
    InstallationOpened,
    ProtectionExpired,
    ReconnectionWaits,
    SupplyDesired,
    ThresholdCrossed,
    VendLimitsSet,
)
from npms_shared.contracts.meter_gateway import (
    ProfilePublished,
    ReadingsBatch,
    RegisterFell,
    SupplyReported,
)
from npms_shared.contracts.payments import PaymentReversed, PaymentSettled
from npms_shared.contracts.tariff import AdjustmentCharged, ChargesBatch, PlanVersionActivated

PUBLISHERS = ("ledger", "tariff", "meter-gateway", "payments", "notifier")

QUEUES: dict[str, tuple[type[Event], ...]] = {
    "ledger.payments": (PaymentSettled, PaymentReversed),
    "ledger.adjustments": (AdjustmentCharged,),
    "ledger.supply": (SupplyReported,),
    "ledger.catalogue": (PlanVersionActivated, ProfilePublished),
    "tariff.accounts": (InstallationOpened, InstallationClosed),
    "tariff.meters": (RegisterFell,),
    "meter-gateway.supply": (InstallationOpened, InstallationClosed, SupplyDesired),
    "payments.accounts": (AccountOpened, AccountClosed, VendLimitsSet),
    "payments.credits": (CreditPosted,),
    "notifier.events": (
        AccountOpened,
        AccountClosed,
        ThresholdCrossed,
        CreditPosted,
        EmergencyCreditOffered,
        EmergencyCreditAccepted,
        CreditExhausted,
        CreditRestored,
        ProtectionExpired,
        ReconnectionWaits,
        AdjustmentCharged,
    ),
}
"""Queue of a subscriber → the single events it hears, in the order they were said."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A partitioned hop: a direct exchange whose routing key is the partition."""

    exchange: str
    queue: str
    contract: type[Batch]

    def queue_of(self, partition: int) -> str:
        return f"{self.queue}.{partition}"


READINGS = Stage("npms.readings", "tariff.readings", ReadingsBatch)
CHARGES = Stage("npms.charges", "ledger.charges", ChargesBatch)
STAGES = (READINGS, CHARGES)
STAGE_OF = {stage.contract: stage for stage in STAGES}

RETRY_DELAYS_S = (1, 5, 30, 300)
"""A message that failed comes back after the first delay, then the next; then it is parked."""

DELIVERY_LIMIT = 20
"""The broker's own backstop for consumers that die; retries are counted by the consumer. What
reaches it goes to the service's `undelivered` queue, and from there is parked."""


def events_exchange(publisher: str) -> str:
    return f"npms.{publisher}.events"


def undelivered_queue(service: str) -> str:
    """Where the broker puts what its consumers died of."""
    return f"{service}.undelivered"


def retry_exchange(service: str, delay_s: int) -> str:
    """Into a service's waiting room; the routing key is the queue to come back to."""
    return f"npms.{service}.retry.{delay_s}s"


def retry_queue(service: str, delay_s: int) -> str:
    return f"{service}.retry.{delay_s}s"


def requeue_exchange(service: str) -> str:
    """Puts what a service was told before into a queue of its own again: the routing key says
    which. The default exchange would reach everybody's queues.
    """
    return f"npms.{service}.requeue"


def listening_exchange(service: str, publisher: str) -> str:
    """Nothing is sent to it. It is declared when a service's queues are bound to what a publisher
    says, so that the publisher, who may not look at bindings, can see that it is listened to.
    """
    return f"npms.{service}.hears.{publisher}"


def service_of(queue: str) -> str:
    """Whose queue it is."""
    return queue.split(".", maxsplit=1)[0]


HEARD: frozenset[type[Event]] = frozenset(c for contracts in QUEUES.values() for c in contracts)
"""Events somebody listens to: these must reach a queue, or publishing them is an error."""

CONTRACT_OF: dict[str, type[Event]] = {
    c.event_type(): c for c in (*catalogue.EVENTS, *catalogue.BATCHES)
}
HEARD_TYPES: frozenset[str] = frozenset(
    c.event_type() for c in (*HEARD, *(stage.contract for stage in STAGES))
)
