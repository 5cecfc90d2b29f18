"""The ledger posted a credit: a fact of its own, kept beside the payment's state."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.errors import PaymentsError
from npms_payments.domain.records import Payment
from npms_payments.handlers.context import Context
from npms_payments.storage import accounts, payments


class CreditMisfit(PaymentsError):
    """A credit that belongs to no payment, to another amount, or comes a second time."""

    def __init__(self, code: str, payment_id: UUID) -> None:
        super().__init__(f"payment {payment_id}")
        self.code, self.payment_id = code, payment_id


@dataclass(frozen=True, slots=True)
class Credit:
    """The three parts sum to the amount."""

    payment_id: UUID
    account_id: int
    amount_micro: int
    to_debt_micro: int
    to_emergency_micro: int
    to_balance_micro: int
    balance_after_micro: int
    posted_at: datetime


async def confirm_credit(conn: AsyncConnection, context: Context, credit: Credit) -> None:
    """Raises CreditMisfit. A later credit of the same is that of a ledger which was restored to
    before it and was told of the payment again: it counts, the one before is forgotten there.
    """
    payment = await payments.lock(conn, credit.payment_id)
    if payment is None or payment.settled_at is None:
        raise CreditMisfit("credit_without_payment", credit.payment_id)
    if payment.credited_at is not None and credit.posted_at <= payment.credited_at:
        raise CreditMisfit("credited_twice", credit.payment_id)
    if not _fits(payment, credit):
        raise CreditMisfit("credit_differs", credit.payment_id)
    await payments.mark_credited(
        conn,
        credit.payment_id,
        at=credit.posted_at,
        to_debt_micro=credit.to_debt_micro,
        to_emergency_micro=credit.to_emergency_micro,
        to_balance_micro=credit.to_balance_micro,
        balance_after_micro=credit.balance_after_micro,
    )
    await accounts.save_balance(
        conn,
        account_id=credit.account_id,
        balance_micro=credit.balance_after_micro,
        at=credit.posted_at,
    )
    delay = context.clock.now() - payment.settled_at
    metrics.CREDIT_DELAY.observe(delay.total_seconds() / context.clock.speed)


def _fits(payment: Payment, credit: Credit) -> bool:
    parts = credit.to_debt_micro + credit.to_emergency_micro + credit.to_balance_micro
    given = (credit.account_id, credit.amount_micro, parts)
    return given == (payment.account_id, payment.amount_micro, payment.amount_micro)
