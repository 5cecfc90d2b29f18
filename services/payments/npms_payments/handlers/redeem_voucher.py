"""A voucher pays, once. Wrong ones are counted per account and per caller, typing errors too.

Whether a voucher is unknown, used, expired, inactive or of another currency makes no difference
to the answer or to the work done. A wrong attempt must stay counted although nothing else of its
transaction may stay, hence the savepoint.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.attempts import Limit
from npms_payments.domain.errors import VoucherLocked, VoucherMistyped, VoucherRefused
from npms_payments.domain.records import Money, Payment
from npms_payments.domain.vouchers import lookup_key, read_pin
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.context import Context
from npms_payments.handlers.read import find_payment
from npms_payments.handlers.settle import receive, settle_new
from npms_payments.handlers.vend_limits import check_limits
from npms_payments.storage import vouchers
from npms_shared.ids import new_id

T = TypeVar("T")
WRONG = (VoucherMistyped, VoucherRefused)


@dataclass(frozen=True, slots=True)
class Redeem:
    account_id: int
    pin: str = field(repr=False)
    by: str


@dataclass(frozen=True, slots=True)
class Guards:
    """Earlier failures of those whom this attempt counts for, locked; each with its limit."""

    held: dict[str, tuple[Limit, list[datetime]]]
    at: datetime

    def check(self) -> None:
        """Raises VoucherLocked."""
        waits = (limit.wait(failed, at=self.at) for limit, failed in self.held.values())
        wait = max(waits, default=timedelta(0))
        if wait:
            metrics.VOUCHERS.labels(outcome="locked").inc()
            raise VoucherLocked(wait)

    async def count_failure(self, conn: AsyncConnection) -> None:
        for subject, (limit, failed) in self.held.items():
            await vouchers.save_guard(conn, subject, limit.after_failure(failed, at=self.at))


async def attempt(
    context: Context,
    *,
    account_id: int,
    by: str,
    work: Callable[[AsyncConnection, Guards], Awaitable[T]],
) -> T:
    """Do `work`, which redeems; when the voucher was wrong, only the failure is kept."""
    async with context.database.transaction() as conn:
        guards = await _lock(conn, context, account_id=account_id, by=by)
        try:
            async with conn.begin_nested():
                return await work(conn, guards)
        except WRONG as fault:
            wrong = fault
            await guards.count_failure(conn)
    metrics.VOUCHERS.labels(outcome=wrong.code.removeprefix("voucher_")).inc()
    raise wrong


async def redeem(
    conn: AsyncConnection, context: Context, command: Redeem, guards: Guards
) -> Payment:
    """A voucher outside the account's limits stays unused. Raises VendRefused."""
    guards.check()
    account, currency = await find_open_account(conn, command.account_id)
    key = lookup_key(read_pin(command.pin), context.pepper)
    payment_id, now = new_id(), context.clock.now()
    used = await vouchers.redeem(conn, key, payment_id=payment_id, currency=currency, at=now)
    if used is None:
        raise VoucherRefused
    await check_limits(conn, account, used.value_micro)
    money = Money(used.value_micro, used.currency, "voucher", used.serial)
    await receive(conn, money, at=now)
    await settle_new(
        conn, money, payment_id=payment_id, account_id=command.account_id, at=now, by=command.by
    )
    metrics.VOUCHERS.labels(outcome="redeemed").inc()
    return await find_payment(conn, payment_id)


async def _lock(conn: AsyncConnection, context: Context, *, account_id: int, by: str) -> Guards:
    limits = {
        f"account:{account_id}": context.policy.failures_per_account,
        f"caller:{by}": context.policy.failures_per_caller,
    }
    failed = await vouchers.lock_guards(conn, list(limits))
    held = {subject: (limit, failed[subject]) for subject, limit in limits.items()}
    return Guards(held, context.clock.wall_now())
