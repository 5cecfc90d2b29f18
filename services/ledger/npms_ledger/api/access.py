"""Whose account it is: customers see their own only, and somebody else's looks like none."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import look
from npms_ledger.handlers.errors import AccountUnknown
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require

Reader = Annotated[Principal, Depends(require("customer", "operator", "admin", "service"))]


async def may_see(conn: AsyncConnection, caller: Principal, *account_ids: int) -> None:
    """Raises AccountUnknown."""
    for account_id in account_ids:
        if not caller.may_see(await look.owner_of(conn, account_id)):
            raise AccountUnknown(account_id)


def own_customer(caller: Principal) -> int:
    """The customer a caller is; of nobody's number where they are none."""
    return caller.customer_id if caller.customer_id is not None else -1
