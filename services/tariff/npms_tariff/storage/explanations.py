"""What explains a rating: whose installation it is, and the scopes that were closed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class RatedInstallation:
    installation_id: int
    account_id: int
    customer_id: int
    plan_code: str
    currency: str
    time_zone: str
    customer_class: str


@dataclass(frozen=True, slots=True)
class Scope:
    """A local month (yyyymm) under one version; `slots` is energy in base units by slot.

    `cost_micro` is None while it is open.
    """

    plan_version_id: int
    month: int
    slots: list[int]
    days: int
    cost_micro: int | None


_FIND_RATED = text(
    """
    SELECT installation_id, account_id, customer_id, plan_code, currency, time_zone,
           customer_class
    FROM installation WHERE installation_id = :id
    """
)
_CLOSED_SCOPES = text(
    """
    SELECT plan_version_id, month, slots, days, cost_micro FROM rating_scope
    WHERE installation_id = :id AND month BETWEEN :first AND :last
    ORDER BY month, plan_version_id
    """
)


async def find_rated(conn: AsyncConnection, installation_id: int) -> RatedInstallation | None:
    found = await conn.execute(_FIND_RATED, {"id": installation_id})
    row = found.one_or_none()
    return RatedInstallation(*row) if row else None


async def closed_scopes(
    conn: AsyncConnection, installation_id: int, *, first_month: int, last_month: int
) -> list[Scope]:
    """Those of months from the first to the last, in their order."""
    values: dict[str, Any] = {"id": installation_id, "first": first_month, "last": last_month}
    rows = await conn.execute(
        _CLOSED_SCOPES,
        values,
    )
    return [Scope(*row) for row in rows]
