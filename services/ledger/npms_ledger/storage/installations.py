"""Customers, accounts, usage points, installations."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_OWNERS = text(
    """
    SELECT i.installation_id, i.account_id, a.currency
    FROM installation i JOIN account a USING (account_id)
    WHERE i.installation_id = ANY(CAST(:installation_ids AS bigint[]))
    """
)
_CUSTOMER = text(
    """
    INSERT INTO customer (name, language, contacts, created_at)
    VALUES (:name, :language, CAST(:contacts AS jsonb), :now) RETURNING customer_id
    """
)
_ACCOUNT = text(
    """
    INSERT INTO account (account_id, customer_id, currency, time_zone, policy_code, customer_class,
                         opened_at)
    VALUES (:account_id, :customer_id, :currency, :time_zone, :policy_code, :customer_class, :now)
    """
)
_USAGE_POINT = text(
    """
    INSERT INTO usage_point (label, commodity, max_power_w)
    VALUES (:label, :commodity, :max_power_w) RETURNING usage_point_id
    """
)
_INSTALLATION = text(
    """
    INSERT INTO installation (account_id, usage_point_id, serial, profile, host, port, unit_id,
                              plan_code, opening_register_wh, opened_at)
    VALUES (:account_id, :usage_point_id, :serial, :profile, :host, :port, :unit_id,
            :plan_code, :opening_register_wh, :now) RETURNING installation_id
    """
)
_TAKEN = text(
    """
    SELECT installation_id, serial FROM installation
    WHERE closed_at IS NULL
      AND (serial = :serial
           OR (port > 0 AND (host, port, unit_id) = (:host, :port, :unit_id)))
    ORDER BY serial <> :serial LIMIT 1
    """
)
_POINT = text("SELECT * FROM usage_point WHERE usage_point_id = :id")
_LOCK_POINT = text("SELECT * FROM usage_point WHERE usage_point_id = :id FOR UPDATE")
_CLOSE_ONE = text(
    """
    UPDATE installation SET closed_at = :now, closing_register_wh = :register_wh
    WHERE installation_id = :id
    """
)
_BILLED_TO = """
    coalesce((SELECT p.to_register_wh FROM posting p
              WHERE p.account_id = i.account_id AND p.installation_id = i.installation_id
              ORDER BY p.seq DESC LIMIT 1), i.opening_register_wh)
"""
_BILLED = text(f"SELECT {_BILLED_TO} FROM installation i WHERE i.installation_id = :id")  # noqa: S608
_UNBILLED = text(
    f"""
    SELECT i.installation_id FROM installation i
    WHERE i.account_id = :account_id AND i.closed_at IS NOT NULL
      AND (i.rating_ended_at IS NULL OR {_BILLED_TO} <> i.closing_register_wh)
    ORDER BY i.installation_id LIMIT 1
    """  # noqa: S608
)
_END_RATING = text(
    """
    WITH asked AS (
        SELECT installation_id, closing_register_wh FROM installation
        WHERE installation_id = :id AND closed_at IS NOT NULL FOR UPDATE
    )
    UPDATE installation i SET closing_register_wh = :register_wh, rating_ended_at = :at
    FROM asked WHERE i.installation_id = asked.installation_id
    RETURNING asked.closing_register_wh
    """
)


async def owners(conn: AsyncConnection, installation_ids: Collection[int]) -> Sequence[Row[Any]]:
    """(installation_id, account_id, currency) of those that exist."""
    return (await conn.execute(_OWNERS, {"installation_ids": list(installation_ids)})).all()


async def insert_customer(
    conn: AsyncConnection,
    *,
    name: str,
    language: str,
    contacts: list[dict[str, str]],
    now: datetime,
) -> int:
    rows = await conn.execute(
        _CUSTOMER,
        {"name": name, "language": language, "contacts": json.dumps(contacts), "now": now},
    )
    customer_id: int = rows.scalar_one()
    return customer_id


async def customer(conn: AsyncConnection, customer_id: int) -> Row[Any] | None:
    rows = await conn.execute(
        text("SELECT * FROM customer WHERE customer_id = :id"), {"id": customer_id}
    )
    return rows.first()


async def next_account_id(conn: AsyncConnection) -> int:
    sequence = "SELECT nextval(pg_get_serial_sequence('account', 'account_id'))"
    account_id: int = (await conn.execute(text(sequence))).scalar_one()
    return account_id


async def insert_account(
    conn: AsyncConnection,
    account_id: int,
    *,
    customer_id: int,
    currency: str,
    time_zone: str,
    policy_code: str,
    customer_class: str,
    now: datetime,
) -> None:
    await conn.execute(
        _ACCOUNT,
        {
            "account_id": account_id,
            "customer_id": customer_id,
            "currency": currency,
            "time_zone": time_zone,
            "policy_code": policy_code,
            "customer_class": customer_class,
            "now": now,
        },
    )


async def insert_usage_point(
    conn: AsyncConnection, *, label: str, commodity: str, max_power_w: int
) -> int:
    rows = await conn.execute(
        _USAGE_POINT, {"label": label, "commodity": commodity, "max_power_w": max_power_w}
    )
    usage_point_id: int = rows.scalar_one()
    return usage_point_id


async def taken_meter(
    conn: AsyncConnection, *, serial: str, host: str, port: int, unit_id: int
) -> Row[Any] | None:
    """(installation_id, serial) of an open installation with this meter or at its address."""
    rows = await conn.execute(
        _TAKEN, {"serial": serial, "host": host, "port": port, "unit_id": unit_id}
    )
    return rows.first()


async def insert_installation(conn: AsyncConnection, values: dict[str, Any]) -> int:
    """Values: account_id, usage_point_id, serial, profile, host, port, unit_id, plan_code,
    opening_register_wh, now. The open meter's serial and address are unique.
    """
    installation_id: int = (await conn.execute(_INSTALLATION, values)).scalar_one()
    return installation_id


async def lock_one(conn: AsyncConnection, installation_id: int) -> Row[Any] | None:
    rows = await conn.execute(
        text("SELECT * FROM installation WHERE installation_id = :id FOR UPDATE"),
        {"id": installation_id},
    )
    return rows.first()


async def usage_point(
    conn: AsyncConnection, usage_point_id: int, *, lock: bool = False
) -> Row[Any] | None:
    """With `lock` nobody else opens an installation there meanwhile."""
    query = _LOCK_POINT if lock else _POINT
    return (await conn.execute(query, {"id": usage_point_id})).first()


async def is_served(conn: AsyncConnection, usage_point_id: int) -> bool:
    """Whether an installation is open there."""
    rows = await conn.execute(
        text("SELECT 1 FROM installation WHERE usage_point_id = :id AND closed_at IS NULL"),
        {"id": usage_point_id},
    )
    return rows.first() is not None


async def billed_register(conn: AsyncConnection, installation_id: int) -> int:
    """The register up to which an installation was charged; its opening one before any charge."""
    billed_wh: int = (await conn.execute(_BILLED, {"id": installation_id})).scalar_one()
    return billed_wh


async def close_one(
    conn: AsyncConnection, installation_id: int, *, register_wh: int, now: datetime
) -> None:
    """Close an installation at its meter's last register."""
    await conn.execute(_CLOSE_ONE, {"id": installation_id, "register_wh": register_wh, "now": now})


async def end_rating(
    conn: AsyncConnection, installation_id: int, *, register_wh: int, at: datetime
) -> int | None:
    """Make the register the final one of a closed installation; returns what was there before, None
    where there is no such closed installation.
    """
    found = await conn.execute(
        _END_RATING, {"id": installation_id, "register_wh": register_wh, "at": at}
    )
    return found.scalar_one_or_none()


async def unbilled(conn: AsyncConnection, account_id: int) -> int | None:
    """A closed installation of the account whose rating goes on, or that was not yet charged up to
    the register at which it ended.
    """
    found = await conn.execute(_UNBILLED, {"account_id": account_id})
    return found.scalars().first()


async def of_account(conn: AsyncConnection, account_id: int) -> Sequence[Row[Any]]:
    """The account's open installations."""
    rows = await conn.execute(
        text(
            "SELECT * FROM installation WHERE account_id = :id AND closed_at IS NULL "
            "ORDER BY installation_id"
        ),
        {"id": account_id},
    )
    return rows.all()


async def has_account(conn: AsyncConnection, account_id: int) -> bool:
    """Whether there is such an account."""
    rows = await conn.execute(
        text("SELECT 1 FROM account WHERE account_id = :id"), {"id": account_id}
    )
    return rows.first() is not None


async def mark_leaving(conn: AsyncConnection, account_id: int, now: datetime) -> None:
    await conn.execute(
        text("UPDATE account SET leaving_at = :now WHERE account_id = :id"),
        {"now": now, "id": account_id},
    )


async def mark_closed(conn: AsyncConnection, account_id: int, now: datetime) -> None:
    await conn.execute(
        text("UPDATE account SET closed_at = :now WHERE account_id = :id AND closed_at IS NULL"),
        {"now": now, "id": account_id},
    )
