"""Rating state: loaded by the set, saved by the set, and never over somebody else's change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays, arrays_of
from npms_tariff.domain.state import ClosedScope, RatingState


class StaleState(Exception):
    """A state was changed since it was loaded: forget what is cached and rate again."""

    def __init__(self, wanted: int, saved: int) -> None:
        super().__init__(f"{saved} of {wanted} rating states were as expected")
        self.wanted, self.saved = wanted, saved


@dataclass(frozen=True, slots=True)
class StoredState:
    """A row of rating_state, with what of its installation rating needs."""

    installation_id: int
    account_id: int
    plan_code: str
    currency: str
    time_zone: str
    closed_at_s: int | None
    version: int
    register_wh: int
    read_at_s: int
    rated_wh: int
    charged_micro: int
    readings_billed: int
    plan_version_id: int
    month: int
    days: int
    paid_until_s: int
    hour_s: int
    hour_wh: int
    hour_micro: int
    slots: list[int]


_LOAD = text(
    f"""
    SELECT s.installation_id, i.account_id, i.plan_code, i.currency, i.time_zone,
           CAST(extract(epoch FROM i.closed_at) AS bigint) AS closed_at_s,
           s.version, s.register_wh, s.read_at_s, s.rated_wh, s.charged_micro, s.readings_billed,
           s.plan_version_id, s.month, s.days, s.paid_until_s, s.hour_s, s.hour_wh, s.hour_micro,
           s.slots
    FROM rating_state s JOIN installation i USING (installation_id)
    WHERE s.installation_id = ANY({arrays("ids")})
    """  # noqa: S608 - names of this module
)

_NUMBERS = (
    "installation_id",
    "version",
    "register_wh",
    "read_at_s",
    "rated_wh",
    "charged_micro",
    "readings_billed",
    "plan_version_id",
    "month",
    "days",
    "paid_until_s",
    "hour_s",
    "hour_wh",
    "hour_micro",
)
_SAVE = text(
    f"""
    UPDATE rating_state AS s
    SET version = s.version + 1, register_wh = u.register_wh, read_at_s = u.read_at_s,
        rated_wh = u.rated_wh, charged_micro = u.charged_micro,
        readings_billed = u.readings_billed, plan_version_id = u.plan_version_id,
        month = u.month, days = u.days, paid_until_s = u.paid_until_s, hour_s = u.hour_s,
        hour_wh = u.hour_wh, hour_micro = u.hour_micro, slots = CAST(u.slots AS bigint[])
    FROM unnest({arrays(*_NUMBERS)}, {arrays_of("text", "slots")})
        AS u ({", ".join(_NUMBERS)}, slots)
    WHERE s.installation_id = u.installation_id AND s.version = u.version
    """  # noqa: S608 - names of this module
)

_ADD = text(
    """
    INSERT INTO rating_state (installation_id, version, register_wh, read_at_s, rated_wh,
        charged_micro, readings_billed, readings_parked, plan_version_id, month, days,
        paid_until_s, hour_s, hour_wh, hour_micro, slots)
    SELECT :installation_id, 0, :register_wh, :read_at_s, 0, 0, 0, count(*), 0, 0, 0,
        :read_at_s, 0, 0, 0, '{}'
    FROM parked_reading WHERE installation_id = :installation_id
    """
)

_ADD_SCOPES = text(
    f"""
    INSERT INTO rating_scope (installation_id, plan_version_id, month, slots, days, cost_micro)
    SELECT installation_id, plan_version_id, month, CAST(slots AS bigint[]), days, cost_micro
    FROM unnest(
        {arrays("installation_id", "plan_version_id", "month", "days", "cost_micro")},
        {arrays_of("text", "slots")}
    ) AS closed (installation_id, plan_version_id, month, days, cost_micro, slots)
    """  # noqa: S608 - names of this module
)


async def load_states(conn: AsyncConnection, ids: Sequence[int]) -> list[StoredState]:
    """Of those installations that are known."""
    rows = await conn.execute(_LOAD, {"ids": array(ids)})
    return [StoredState(*row) for row in rows]


async def save_states(conn: AsyncConnection, states: Sequence[RatingState]) -> None:
    """Write all of them, and count their versions up; raises StaleState."""
    numbers = {name: array(map(attrgetter(name), states)) for name in _NUMBERS}
    done = await conn.execute(
        _SAVE, {**numbers, "slots": _array_of_arrays(s.slots for s in states)}
    )
    if done.rowcount != len(states):
        raise StaleState(len(states), done.rowcount)
    for s in states:
        s.version += 1


async def add_state(
    conn: AsyncConnection, installation_id: int, *, register_wh: int, read_at_s: int
) -> None:
    """At the opening register; readings that came too early are counted as parked."""
    await conn.execute(
        _ADD,
        {
            "installation_id": installation_id,
            "register_wh": register_wh,
            "read_at_s": read_at_s,
        },
    )


async def touch_state(conn: AsyncConnection, installation_id: int) -> bool:
    """Lock it and let every cached copy of it be stale; False where there is none.

    Whoever changes what rating depends on does this in the same transaction.
    """
    done = await conn.execute(
        text("UPDATE rating_state SET version = version + 1 WHERE installation_id = :id"),
        {"id": installation_id},
    )
    return done.rowcount == 1


async def add_scopes(conn: AsyncConnection, scopes: Sequence[ClosedScope]) -> None:
    ids, versions, months, slots, days, costs = zip(*scopes, strict=True)
    await conn.execute(
        _ADD_SCOPES,
        {
            "installation_id": array(ids),
            "plan_version_id": array(versions),
            "month": array(months),
            "slots": _array_of_arrays(slots),
            "days": array(days),
            "cost_micro": array(costs),
        },
    )


def _array_of_arrays(rows: Iterable[Sequence[int]]) -> str:
    """Arrays of different lengths, each as text: PostgreSQL has none but rectangular ones."""
    return "{" + ",".join([f'"{array(row)}"' for row in rows]) + "}"
