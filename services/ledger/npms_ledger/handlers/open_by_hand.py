"""An account opened by a person: credit by hand, and a policy of its own, within what one may do
alone in a day; more opening credit waits for a second person.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.policy import CreditPolicy, lends_micro
from npms_ledger.handlers.money_requests import MoneyRequest, ask
from npms_ledger.handlers.open_account import OpenAccount, Opened, open_account
from npms_shared.actor import Actor
from npms_shared.approval import SecondPersonRequired
from npms_shared.db.moved_alone import move_alone
from npms_shared.money import AmountsByCurrency

OWN_POLICY = "may not lend so much alone by a policy of the account's own"


@dataclass(frozen=True, slots=True)
class OpenedByHand:
    """`credit_request_id` is the request for opening credit that waits, if one does."""

    opened: Opened
    credit_request_id: UUID | None


async def open_by_hand(
    conn: AsyncConnection,
    command: OpenAccount,
    *,
    by: Actor,
    limits: AmountsByCurrency,
    now: datetime,
) -> OpenedByHand:
    """Raises SecondPersonRequired for a policy of its own that lends more than one person may move
    alone, and what open_account raises.
    """

    async def alone(amount_micro: int, what: str) -> bool:
        return await move_alone(
            conn, by.subject, amount_micro, command.currency, what=what, limits=limits, now=now
        )

    own = command.policy if isinstance(command.policy, CreditPolicy) else None
    if own is not None and not await alone(lends_micro(own), "credit policy of an account's own"):
        raise SecondPersonRequired(by.subject, OWN_POLICY)
    credit_micro = command.opening_credit_micro
    if await alone(credit_micro, "opening credit"):
        opened = await open_account(conn, command, now=now, by=by.subject)
        return OpenedByHand(opened, None)
    without = replace(command, opening_credit_micro=0)
    opened = await open_account(conn, without, now=now, by=by.subject)
    asked = MoneyRequest(
        "opening_credit",
        opened.account.account_id,
        credit_micro,
        command.currency,
        "Had elsewhere, at the opening.",
    )
    waiting = await ask(conn, asked, by=by, now=now)
    return OpenedByHand(opened, waiting.request_id)
