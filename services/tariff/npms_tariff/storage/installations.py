"""Who is metered where, on which plan, in which time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Installation:
    installation_id: int
    account_id: int
    customer_id: int
    plan_code: str
    commodity: str
    currency: str
    time_zone: str
    opening_register_wh: int
    opened_at: datetime
    customer_class: str
    connected_w: int
    replaces_installation_id: int | None


_LOCK_INSTALLATIONS = text(
    """
    SELECT pg_advisory_xact_lock(hashtextextended('installation:' || id, 0))
    FROM (SELECT unnest(CAST(:ids AS bigint[])) AS id ORDER BY 1) AS wanted
    """
)
_ADD_INSTALLATION = text(
    """
    INSERT INTO installation (installation_id, account_id, customer_id, plan_code,
        commodity, currency, time_zone, opening_register_wh, opened_at, customer_class,
        connected_w, replaces_installation_id)
    VALUES (:installation_id, :account_id, :customer_id, :plan_code,
        :commodity, :currency, :time_zone, :opening_register_wh, :opened_at,
        :customer_class, :connected_w, :replaces_installation_id)
    ON CONFLICT (installation_id) DO NOTHING
    """
)
_LOCK_ENDED = text(
    """
    SELECT closing_register_wh, closed_at FROM installation
    WHERE installation_id = :id FOR UPDATE
    """
)
_CLOSE_INSTALLATION = text(
    """
    UPDATE installation SET closing_register_wh = :register_wh, closed_at = :at
    WHERE installation_id = :id AND closed_at IS NULL
    """
)
_FIND_HOLDER = text(
    """
    SELECT customer_id, time_zone FROM installation
    WHERE account_id = :id ORDER BY installation_id DESC LIMIT 1
    """
)
_OPEN_OF_ACCOUNT = text(
    """
    SELECT installation_id, account_id, plan_code, commodity, currency, time_zone
    FROM installation WHERE account_id = :id AND closed_at IS NULL
    ORDER BY installation_id
    """
)


async def lock_installations(conn: AsyncConnection, installation_ids: Sequence[int]) -> None:
    """Until the transaction ends nobody else opens, or parks readings of, unknown installations."""
    await conn.execute(_LOCK_INSTALLATIONS, {"ids": sorted(installation_ids)})


async def add_installation(conn: AsyncConnection, opened: Installation) -> bool:
    """False when it is known already."""
    done = await conn.execute(
        _ADD_INSTALLATION, {name: getattr(opened, name) for name in Installation.__slots__}
    )
    return done.rowcount == 1


@dataclass(frozen=True, slots=True)
class Ended:
    """Where rating of an installation ended; nothing while it goes on."""

    register_wh: int | None
    at: datetime | None


async def lock_ended(conn: AsyncConnection, installation_id: int) -> Ended | None:
    """Where rating ended, of an installation that nobody else closes meanwhile; None where there
    is no such installation.
    """
    found = await conn.execute(_LOCK_ENDED, {"id": installation_id})
    row = found.one_or_none()
    return Ended(*row) if row else None


async def close_installation(
    conn: AsyncConnection, installation_id: int, *, register_wh: int, at: datetime
) -> None:
    """Where and when its rating ended."""
    await conn.execute(
        _CLOSE_INSTALLATION, {"id": installation_id, "register_wh": register_wh, "at": at}
    )


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """Whose account it is, and the zone its days are counted in."""

    customer_id: int
    time_zone: str


async def find_holder(conn: AsyncConnection, account_id: int) -> AccountHolder | None:
    """None for an account without any installation."""
    found = await conn.execute(_FIND_HOLDER, {"id": account_id})
    row = found.one_or_none()
    return AccountHolder(row.customer_id, row.time_zone) if row else None


@dataclass(frozen=True, slots=True)
class OpenInstallation:
    installation_id: int
    account_id: int
    plan_code: str
    commodity: str
    currency: str
    time_zone: str


async def open_of_account(conn: AsyncConnection, account_id: int) -> list[OpenInstallation]:
    """By id."""
    rows = await conn.execute(_OPEN_OF_ACCOUNT, {"id": account_id})
    return [OpenInstallation(*row) for row in rows]
