"""Limits of what is sold to an account, asked before money is taken."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Account
from npms_payments.domain.vend_limits import check_vend
from npms_payments.storage import payments


async def check_limits(conn: AsyncConnection, account: Account, amount_micro: int) -> None:
    """Raises VendRefused. Only what settles at once is asked: other money is credited anyway."""
    coming_micro = 0
    if account.limits.max_balance_micro is not None:
        coming_micro = await payments.uncredited_micro(conn, account.account_id)
    balance_micro = (account.balance_micro or 0) + coming_micro
    check_vend(amount_micro, account.limits, balance_micro=balance_micro)
