"""What made the ledger decide: kept with every decision about a supply."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Cause:
    """`kind` is scheduler, charge, payment or person; `subject` is the person.

    `settled_at` is when a payment was settled, which is when its payer begins to wait.
    """

    kind: str
    subject: str | None = None
    payment_id: UUID | None = None
    settled_at: datetime | None = None


SCHEDULER = Cause("scheduler")
CHARGE = Cause("charge")


def cause_of(payment_id: UUID | None) -> Cause:
    """Where a caller says no more: a payment, or else somebody."""
    return Cause("payment", payment_id=payment_id) if payment_id else Cause("person")
