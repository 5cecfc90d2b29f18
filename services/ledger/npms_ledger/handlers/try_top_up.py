"""Where a top-up would go now, without making it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.policy import refusal
from npms_ledger.domain.position import Posted
from npms_ledger.domain.waterfall import has_credit
from npms_ledger.handlers import books
from npms_ledger.handlers.errors import AccountUnknown


@dataclass(frozen=True, slots=True)
class Trial:
    """`posted` is what the waterfall would make of it; `refused` why the policy's limits would not
    let it come, None if they would; `restores` whether credit would then carry the supply.
    """

    account: Account
    posted: Posted
    refused: str | None
    restores: bool


async def try_top_up(
    conn: AsyncConnection, account_id: int, amount_micro: int, now: datetime
) -> Trial:
    """Raises AccountUnknown."""
    taken = await books.take_locked(conn, [account_id])
    if account_id not in taken:
        raise AccountUnknown(account_id)
    account = taken[account_id]
    posted = account.would_top_up(amount_micro, now)
    policy, after = account.policy_at(now), posted.position
    refused = refusal(policy, amount_micro=amount_micro, balance_after_micro=after.balance_micro)
    return Trial(account, posted, refused, restores=has_credit(after, policy))
