"""Who may see what: customers what is theirs, partners what they brought, staff everything."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Account, Payment
from npms_payments.handlers.accounts import find_account
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require
from npms_shared.web.problems import Problem, not_found

Looker = Annotated[
    Principal, Depends(require("customer", "operator", "admin", "partner", "service"))
]
Collector = Annotated[Principal, Depends(require("partner", "operator", "admin"))]
Admin = Annotated[Principal, Depends(require("admin"))]


def issuer_of(caller: Principal) -> str:
    """Whose numbering a payment's reference belongs to; empty for staff.

    A partner's token must say which one it is: Problem 403.
    """
    if caller.is_staff():
        return ""
    if caller.partner_id is None:
        raise Problem(403, "partner_unknown", "The token does not say which partner it is of.")
    return caller.partner_id


async def own_account(conn: AsyncConnection, account_id: int, caller: Principal) -> Account:
    """The account, if the caller may see it; to others it does not exist."""
    account = await find_account(conn, account_id)
    if not caller.may_see(account.customer_id):
        raise not_found("account")
    return account


async def check_sees(conn: AsyncConnection, payment: Payment, caller: Principal) -> None:
    brought = "partner" in caller.roles and payment.source == "partner"
    if brought and caller.partner_id is not None and payment.issuer == caller.partner_id:
        return
    account = await find_account(conn, payment.account_id)
    if not caller.may_see(account.customer_id):
        raise not_found("payment")
