"""Installations and their use by hour, account after account, for rating them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays


@dataclass(frozen=True, slots=True)
class Chosen:
    """Installations of one account, of a class of customers, or of everybody on a plan (one is
    given), which were open in [from_s, to_s) and are of a commodity and currency."""

    account_id: int | None
    customer_class: str | None
    plan_code: str | None
    commodity: str
    currency: str
    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class SimulatedInstallation:
    installation_id: int
    account_id: int
    plan_code: str
    time_zone: str
    customer_class: str
    connected_w: int
    opened_s: int
    closed_s: int | None
    replaces_installation_id: int | None


@dataclass(frozen=True, slots=True)
class AccountsCounted:
    """Accounts to be rated again, and those of another commodity or currency."""

    fitting: int
    others: int


HourRow = tuple[int, int, int, int]
"""(installation, first second of the local hour, energy Wh, amount charged in micro-units)"""

_CHOSEN = """
    (CAST(:account_id AS bigint) IS NULL OR account_id = :account_id)
    AND (CAST(:customer_class AS text) IS NULL OR customer_class = :customer_class)
    AND (CAST(:plan_code AS text) IS NULL OR plan_code = :plan_code)
    AND opened_at < to_timestamp(:to_s)
"""
_OPEN = "(closed_at IS NULL OR closed_at > to_timestamp(:from_s))"
_FITS = "(commodity, currency) = (:commodity, :currency)"
_COUNT = text(
    f"""
    SELECT count(DISTINCT account_id) FILTER (WHERE {_FITS}),
           count(DISTINCT account_id) FILTER (WHERE NOT {_FITS})
    FROM installation WHERE {_CHOSEN} AND {_OPEN}
    """  # noqa: S608 - names of this module
)
_PAGE = text(
    f"""
    WITH page AS (
        SELECT DISTINCT account_id FROM installation
        WHERE account_id > :after AND {_CHOSEN} AND {_OPEN} AND {_FITS}
        ORDER BY account_id LIMIT :limit
    )
    SELECT installation_id, account_id, plan_code, time_zone, customer_class, connected_w,
           CAST(extract(epoch FROM opened_at) AS bigint),
           CAST(extract(epoch FROM closed_at) AS bigint), replaces_installation_id
    FROM installation JOIN page USING (account_id)
    WHERE {_CHOSEN} AND {_FITS}
    ORDER BY account_id, opened_at, installation_id
    """  # noqa: S608 - names of this module
)
_HOURS = text(
    f"""
    SELECT installation_id, hour_s, energy_wh, amount_micro FROM usage_hour
    WHERE installation_id = ANY({arrays("ids")}) AND hour_s >= :from_s AND hour_s < :to_s
    UNION ALL
    SELECT installation_id, hour_s, hour_wh, hour_micro FROM rating_state
    WHERE installation_id = ANY({arrays("ids")}) AND hour_s >= :from_s AND hour_s < :to_s
    ORDER BY 1, 2
    """  # noqa: S608 - names of this module
)

_HOURS_KEPT_FROM_S = text("SELECT hours_from_s FROM usage_kept")


async def hours_kept_from_s(conn: AsyncConnection) -> int:
    """Hours that begin before were dropped."""
    kept_from_s: int = (await conn.execute(_HOURS_KEPT_FROM_S)).scalar_one()
    return kept_from_s


async def count_accounts(conn: AsyncConnection, chosen: Chosen) -> AccountsCounted:
    found = await conn.execute(_COUNT, _values(chosen))
    return AccountsCounted(*found.one())


async def page_of_accounts(
    conn: AsyncConnection, chosen: Chosen, *, after: int, limit: int
) -> list[SimulatedInstallation]:
    """All installations of the next accounts, account by account, in the order of opening."""
    rows = await conn.execute(_PAGE, {**_values(chosen), "after": after, "limit": limit})
    return [SimulatedInstallation(*row) for row in rows]


async def hours_of(
    conn: AsyncConnection, ids: Sequence[int], *, from_s: int, to_s: int
) -> list[HourRow]:
    """By installation and time, the running hour included."""
    rows = await conn.execute(_HOURS, {"ids": array(ids), "from_s": from_s, "to_s": to_s})
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _values(chosen: Chosen) -> dict[str, Any]:
    return {name: getattr(chosen, name) for name in Chosen.__slots__}
