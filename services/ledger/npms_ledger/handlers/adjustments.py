"""What the tariff charged wrongly or not at all: corrections, provisional charges, settlements."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.journal import SystemAccount
from npms_ledger.domain.position import PostingKind
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import CHARGE
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.storage import adjustments, installations
from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.messaging.subscriptions import Unprocessable


async def post_adjustment(conn: AsyncConnection, event: AdjustmentCharged, now: datetime) -> None:
    """Post an adjustment to its account's balance, once.

    Raises Unprocessable: unknown_account, currency_mismatch, not_the_account_s_installation,
    lines_do_not_add_up.
    """
    _check_lines(event)
    account = await _take(conn, event)
    if await adjustments.is_known(conn, event.adjustment_id):
        return
    seq = account.adjust(PostingKind(event.kind), event.amount_micro, now)
    journal = books.journal_of(
        [account], kind=event.kind, now=now, counterparts=_counterparts(event)
    )
    journal.stands_empty = True
    await books.put_back(conn, [account], journal=journal, now=now, cause=CHARGE)
    await adjustments.insert(conn, _row(event, seq), journal_id=journal.journal_id)


def _check_lines(event: AdjustmentCharged) -> None:
    amount = sum(line[4] for line in event.lines)
    tax = sum(line[4] for line in event.lines if line[0].startswith("tax:"))
    if (amount, tax) != (event.amount_micro, event.tax_micro):
        raise Unprocessable(
            "lines_do_not_add_up",
            f"{event.adjustment_id}: {event.amount_micro} with tax {event.tax_micro}, "
            f"its lines are {amount} with tax {tax}",
        )


async def _take(conn: AsyncConnection, event: AdjustmentCharged) -> Account:
    try:
        account = await books.take(conn, event.account_id)
    except AccountUnknown as fault:
        raise Unprocessable("unknown_account", str(fault)) from None
    if account.currency != event.currency:
        raise Unprocessable(
            "currency_mismatch", f"{event.currency} for an account in {account.currency}"
        )
    owners = await installations.owners(conn, [event.installation_id])
    if event.account_id not in [row.account_id for row in owners]:
        raise Unprocessable(
            "not_the_account_s_installation",
            f"installation {event.installation_id} is not of account {event.account_id}",
        )
    return account


def _counterparts(event: AdjustmentCharged) -> dict[str, int]:
    return {
        SystemAccount.ENERGY_REVENUE.value: event.amount_micro - event.tax_micro,
        SystemAccount.TAX_PAYABLE.value: event.tax_micro,
    }


def _row(event: AdjustmentCharged, seq: int | None) -> dict[str, Any]:
    names = (
        "adjustment_id", "account_id", "installation_id", "kind", "plan_version_id",
        "from_s", "to_s", "energy_wh", "amount_micro", "tax_micro", "reason", "told_at",
    )  # fmt: skip
    row = {name: getattr(event, name) for name in names}
    return {**row, "seq": seq, "lines": orjson.dumps(event.lines).decode()}
