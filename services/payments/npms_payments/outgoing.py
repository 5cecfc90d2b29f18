"""What happened here, as the events that others hear."""

from datetime import datetime
from uuid import UUID

from npms_payments.domain.records import Money, Payment
from npms_shared.contracts.payments import PaymentReversed, PaymentSettled


def to_payment_settled(
    payment_id: UUID, account_id: int, money: Money, *, at: datetime
) -> PaymentSettled:
    return PaymentSettled(
        payment_id=payment_id,
        account_id=account_id,
        amount_micro=money.amount_micro,
        currency=money.currency,
        source=money.source,
        reference=money.reference,
        settled_at=at,
    )


def to_payment_reversed(
    payment: Payment, *, reversal_id: UUID, reason: str, at: datetime
) -> PaymentReversed:
    return PaymentReversed(
        payment_id=payment.payment_id,
        reversal_id=reversal_id,
        account_id=payment.account_id,
        amount_micro=payment.amount_micro,
        currency=payment.currency,
        source=payment.source,
        reason=reason,
        reversed_at=at,
    )
