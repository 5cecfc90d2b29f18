"""A payment that a bank statement or a partner reports: to its account, or into suspense."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_amount, check_currency
from npms_payments.domain.errors import AccountIsClosed, AccountUnknown
from npms_payments.domain.records import Money, Payment, Suspended
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.allocate_suspense import find_item
from npms_payments.handlers.context import Context
from npms_payments.handlers.partners import count_sale, note_sold
from npms_payments.handlers.read import find_payment
from npms_payments.handlers.settle import receive, set_aside, settle_new
from npms_payments.handlers.vend_limits import check_limits
from npms_shared.ids import new_id

MAX_ACCOUNT_ID = 2**63 - 1
"""What the database can hold."""


PARTNER = "partner"
"""The source whose payer still stands at the counter."""


@dataclass(frozen=True, slots=True)
class RecordPayment:
    """`account_number` as the payer wrote it."""

    account_number: str
    money: Money
    by: str


async def record_payment(
    conn: AsyncConnection, context: Context, command: RecordPayment
) -> Payment | Suspended:
    """A partner's money is refused outside the limits of the account and of the partner's day, also
    where it is only set aside; a bank's is there already.

    Raises AmountRefused, PartnerLimitReached, WrongCurrency, AlreadyReceived, VendRefused.
    """
    money, now = command.money, context.clock.now()
    check_amount(money.amount_micro, limit_micro=context.policy.max_payment_micro)
    is_partners = money.source == PARTNER and bool(money.issuer)
    if is_partners:
        await count_sale(conn, context, money, now)
    try:
        account_id = account_id_in(command.account_number)
        account, currency = await find_open_account(conn, account_id)
    except (AccountUnknown, AccountIsClosed) as fault:
        suspense_id = await _suspend(conn, command, context=context, reason=fault.code)
        return await find_item(conn, suspense_id)
    check_currency(money.currency, expected=currency)
    if money.source == PARTNER:
        await check_limits(conn, account, money.amount_micro)
    await receive(conn, money, at=now)
    payment_id = new_id()
    await settle_new(
        conn, money, payment_id=payment_id, account_id=account_id, at=now, by=command.by
    )
    if is_partners:
        note_sold(money)
    return await find_payment(conn, payment_id)


def account_id_in(text: str) -> int:
    """What a payer wrote as a number. Raises AccountUnknown for what can be none."""
    digits = text.strip()
    account_id = int(digits) if digits.isascii() and digits.isdigit() else 0
    if not 0 < account_id <= MAX_ACCOUNT_ID:
        raise AccountUnknown(0)
    return account_id


async def _suspend(
    conn: AsyncConnection, command: RecordPayment, *, context: Context, reason: str
) -> UUID:
    now = context.clock.now()
    await receive(conn, command.money, at=now)
    return await set_aside(
        conn,
        command.money,
        account_given=command.account_number,
        order_id=None,
        reason=reason,
        at=now,
        by=command.by,
    )
