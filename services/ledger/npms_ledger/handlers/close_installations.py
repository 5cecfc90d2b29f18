"""An installation is closed at the register asked for, and finally at the one that rating came to.

What was read and is under way when somebody closes is charged or not before rating hears of the
closing: only rating knows where it ended, and says so after its last charge.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import books
from npms_ledger.handlers.installation_errors import RegisterBelowBilled
from npms_ledger.storage import installations
from npms_shared.contracts.ledger import InstallationClosed
from npms_shared.contracts.tariff import RatingEnd
from npms_shared.messaging import outbox

log = structlog.get_logger()


async def check_closing_register(
    conn: AsyncConnection, installation_id: int, register_wh: int
) -> None:
    """What was billed cannot lie above the last register. Raises RegisterBelowBilled."""
    billed_wh = await installations.billed_register(conn, installation_id)
    if register_wh < billed_wh:
        raise RegisterBelowBilled(register_wh, billed_wh=billed_wh)


async def close_all(
    conn: AsyncConnection, account_id: int, registers_wh: dict[int, int], now: datetime
) -> dict[int, int]:
    """Close what is open of an account, at the registers given or at what was last billed; returns
    the registers. Raises RegisterBelowBilled.
    """
    asked = {}
    for row in await installations.of_account(conn, account_id):
        installation_id = row.installation_id
        billed_wh = await installations.billed_register(conn, installation_id)
        register_wh = asked[installation_id] = registers_wh.get(installation_id, billed_wh)
        await check_closing_register(conn, installation_id, register_wh)
        await close_one(
            conn, installation_id, account_id=account_id, register_wh=register_wh, now=now
        )
    return asked


async def close_one(
    conn: AsyncConnection,
    installation_id: int,
    *,
    account_id: int,
    register_wh: int,
    now: datetime,
) -> None:
    """Close an open installation and say so."""
    await installations.close_one(conn, installation_id, register_wh=register_wh, now=now)
    closed = InstallationClosed(
        installation_id=installation_id,
        account_id=account_id,
        closing_register_wh=register_wh,
        closed_at=now,
    )
    await outbox.publish(conn, closed, subject=str(account_id))


async def end_rating(conn: AsyncConnection, ends: Sequence[RatingEnd], now: datetime) -> None:
    """Take over where rating ended, and close the accounts that are settled by that. The caller
    holds their positions, and has posted what was charged before.
    """
    for end in ends:
        asked_wh = await installations.end_rating(
            conn,
            end.installation_id,
            register_wh=end.register_wh,
            at=datetime.fromtimestamp(end.ended_at_s, UTC),
        )
        if asked_wh not in (None, end.register_wh):
            log.info(
                "closing_register_moved",
                installation_id=end.installation_id,
                asked_wh=asked_wh,
                register_wh=end.register_wh,
            )
    await close_settled(conn, {end.account_id for end in ends}, now)


async def close_settled(conn: AsyncConnection, account_ids: Collection[int], now: datetime) -> None:
    """Close those of the leaving accounts of which nothing is owed either way, and nothing is
    still to be charged.
    """
    for account_id, account in (await books.take_locked(conn, account_ids)).items():
        pending = await installations.unbilled(conn, account_id)
        if account.position.closed and not account.position.net_micro and pending is None:
            await installations.mark_closed(conn, account_id, now)
