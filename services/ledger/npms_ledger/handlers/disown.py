"""What was opened after the backup that this database was set back to: others still serve it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.storage import installations
from npms_shared.contracts.ledger import AccountClosed, InstallationClosed
from npms_shared.messaging import outbox


class KnownHere(Exception):
    """It is no stranger: it is closed as any other."""


async def disown(
    conn: AsyncConnection, installation_id: int, *, account_id: int, now: datetime
) -> None:
    """Let others close an installation and its account that the ledger does not know, so that the
    meter is free to be installed again. Rating ends where it stands. Raises KnownHere.
    """
    if await installations.lock_one(conn, installation_id) is not None:
        raise KnownHere(f"installation {installation_id} is known here")
    subject = str(account_id)
    closed = InstallationClosed(
        installation_id=installation_id, account_id=account_id, closing_register_wh=0, closed_at=now
    )
    await outbox.publish(conn, closed, subject=subject)
    if not await installations.has_account(conn, account_id):
        await outbox.publish(
            conn, AccountClosed(account_id=account_id, closed_at=now), subject=subject
        )
