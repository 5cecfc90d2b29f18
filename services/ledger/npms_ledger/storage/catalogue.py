"""Plans and device profiles that other services have told of."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_PLAN = text(
    """
    INSERT INTO known_plan_version AS k (plan_version_id, plan_code, version, currency, commodity,
                                         valid_from, vend_charges)
    VALUES (:plan_version_id, :plan_code, :version, :currency, :commodity, :valid_from,
            CAST(:vend_charges AS jsonb))
    ON CONFLICT (plan_version_id) DO UPDATE SET commodity = excluded.commodity
    WHERE k.commodity IS NULL AND excluded.commodity IS NOT NULL
    """
)
_KNOWN_PLAN = text(
    """
    SELECT currency, max(commodity) AS commodity, min(valid_from) AS valid_from
    FROM known_plan_version WHERE plan_code = :code GROUP BY currency
    """
)
_PROFILE = text(
    """
    INSERT INTO known_profile (profile, vendor, model, has_relay, can_limit, serial_pattern)
    VALUES (:profile, :vendor, :model, :has_relay, :can_limit, :serial_pattern)
    ON CONFLICT (profile) DO UPDATE
        SET vendor = excluded.vendor, model = excluded.model, has_relay = excluded.has_relay,
            can_limit = excluded.can_limit, serial_pattern = excluded.serial_pattern
    """
)


async def add_plan_version(
    conn: AsyncConnection,
    plan_version_id: int,
    *,
    plan_code: str,
    version: int,
    currency: str,
    commodity: str | None,
    valid_from: datetime,
    vend_charges: list[dict[str, Any]],
) -> None:
    """Vend charges: name, amount_micro, tax_micro."""
    await conn.execute(
        _PLAN,
        {
            "plan_version_id": plan_version_id,
            "plan_code": plan_code,
            "version": version,
            "currency": currency,
            "commodity": commodity,
            "valid_from": valid_from,
            "vend_charges": json.dumps(vend_charges),
        },
    )


async def add_profile(
    conn: AsyncConnection,
    profile: str,
    *,
    vendor: str,
    model: str,
    has_relay: bool,
    can_limit: bool,
    serial_pattern: str,
) -> None:
    await conn.execute(
        _PROFILE,
        {
            "profile": profile,
            "vendor": vendor,
            "model": model,
            "has_relay": has_relay,
            "can_limit": can_limit,
            "serial_pattern": serial_pattern,
        },
    )


async def plan(conn: AsyncConnection, code: str) -> Row[Any] | None:
    """(currency, commodity, valid_from of the first version) of a plan that was told of."""
    return (await conn.execute(_KNOWN_PLAN, {"code": code})).first()


async def profile(conn: AsyncConnection, code: str) -> Row[Any] | None:
    """What a gateway has told of a profile; None where none has."""
    rows = await conn.execute(
        text("SELECT * FROM known_profile WHERE profile = :profile"), {"profile": code}
    )
    return rows.first()
