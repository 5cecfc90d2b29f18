"""What payments says."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from npms_shared.contracts.base import Event


class PaymentsEvent(Event):
    publisher: ClassVar[str] = "payments"


class PaymentSettled(PaymentsEvent):
    """Money has arrived for an account; `source` names its clearing account, e.g. `voucher`."""

    name: ClassVar[str] = "payment_settled.v1"

    payment_id: UUID
    account_id: int
    amount_micro: int
    currency: str
    source: str
    reference: str
    settled_at: AwareDatetime


CHARGEBACK = "chargeback"
"""The reason of a reversal by the payer's bank, which the customer may not have expected."""


class PaymentReversed(PaymentsEvent):
    """Money was taken back; `reason` is `chargeback` or what the provider, or a person, said."""

    name: ClassVar[str] = "payment_reversed.v1"

    payment_id: UUID
    reversal_id: UUID
    account_id: int
    amount_micro: int
    currency: str
    source: str
    reason: str
    reversed_at: AwareDatetime


EVENTS = (PaymentSettled, PaymentReversed)
