"""Rating state: loaded by the set, saved by the set, and never over somebody else's change."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays, arrays_of
from npms_tariff.domain.records import EndedRating
from npms_tariff.domain.state import LISTS, NUMBERS, ClosedScope, RatingState


class StaleState(Exception):
    """A state was changed since it was loaded: forget what is cached and rate again."""

    def __init__(self, wanted: int, saved: int) -> None:
        super().__init__(f"{saved} of {wanted} rating states were as expected")
        self.wanted, self.saved = wanted, saved


@dataclass(frozen=True, slots=True)
class StoredState:
    """A row of rating_state, with what of its installation rating needs.

    `values` are attributes of the state by name.
    """

    installation_id: int
    account_id: int
    plan_code: str
    currency: str
    time_zone: str
    customer_class: str
    connected_w: int
    closed_at_s: int | None
    values: dict[str, Any]


TOTALS = ("version", "register_wh", "read_at_s", "rated_wh", "charged_micro", "readings_billed")
_COLUMNS = (*TOTALS, *NUMBERS, *LISTS)
_INSTALLATION = (
    "installation_id",
    "account_id",
    "plan_code",
    "currency",
    "time_zone",
    "customer_class",
    "connected_w",
)
_LOAD = text(
    f"""
    SELECT {", ".join(f"i.{name}" for name in _INSTALLATION)},
           CAST(floor(extract(epoch FROM i.closed_at)) AS bigint) AS closed_at_s,
           {", ".join(f"s.{name}" for name in (*TOTALS, *NUMBERS))},
           {", ".join(f"coalesce(s.{name}, '{{}}') AS {name}" for name in LISTS)}
    FROM rating_state s JOIN installation i USING (installation_id)
    WHERE s.installation_id = ANY({arrays("ids")})
    """  # noqa: S608 - names of this module
)

_KEY = ("installation_id", "version")
_IN_CELL = ("hour_wh", "hour_micro")
_SLOTS = ("slots",)

_TOUCH_STATE = text("UPDATE rating_state SET version = version + 1 WHERE installation_id = :id")


def _saving(numbers: Sequence[str], lists: Sequence[str]) -> TextClause:
    """A statement that writes these columns of many states, each over the version it was loaded
    at."""
    kept = ", ".join(f"{name} = u.{name}" for name in numbers)
    kept_lists = ", ".join(f"{name} = nullif(CAST(u.{name} AS bigint[]), '{{}}')" for name in lists)
    texts = ", ".join(arrays_of("text", name) for name in lists)
    return text(
        f"""
        UPDATE rating_state AS s SET version = s.version + 1, {kept}, {kept_lists}
        FROM unnest({arrays(*_KEY, *numbers)}, {texts})
            AS u ({", ".join((*_KEY, *numbers, *lists))})
        WHERE s.installation_id = u.installation_id AND s.version = u.version
        """  # noqa: S608 - names of this module
    )


_WHOLE = (*TOTALS[1:], *NUMBERS), LISTS
_WITHIN = (*TOTALS[1:], *_IN_CELL), _SLOTS
"""What a state that has not moved out of its cell may have changed: three readings in four of a
quarter of an hour each."""
_SAVE_WHOLE, _SAVE_WITHIN = _saving(*_WHOLE), _saving(*_WITHIN)

_ADD = text(
    """
    INSERT INTO rating_state (installation_id, version, register_wh, read_at_s, rated_wh,
        charged_micro, readings_billed, readings_parked, paid_until_s, used_until_s)
    SELECT :installation_id, 0, :register_wh, :read_at_s, 0, 0, 0, count(*), :read_at_s, :read_at_s
    FROM parked_reading WHERE installation_id = :installation_id
    """
)

_ENDED = text(
    """
    SELECT i.installation_id, i.account_id, i.currency, s.register_wh, s.read_at_s
    FROM installation i JOIN rating_state s USING (installation_id)
    WHERE i.closed_at IS NOT NULL ORDER BY i.installation_id
    """
)
_SCOPE_NUMBERS = (
    "installation_id",
    "plan_version_id",
    "month",
    "days",
    "used_days",
    "cost_micro",
)
_ADD_SCOPES = text(
    f"""
    INSERT INTO rating_scope ({", ".join(_SCOPE_NUMBERS)}, slots, demand)
    SELECT {", ".join(_SCOPE_NUMBERS)}, CAST(slots AS bigint[]), CAST(demand AS bigint[])
    FROM unnest({arrays(*_SCOPE_NUMBERS)},
                {arrays_of("text", "slots")}, {arrays_of("text", "demand")})
        AS closed ({", ".join(_SCOPE_NUMBERS)}, slots, demand)
    """  # noqa: S608 - names of this module
)


async def load_states(conn: AsyncConnection, ids: Sequence[int]) -> list[StoredState]:
    """Of those installations that are known."""
    rows = await conn.execute(_LOAD, {"ids": array(ids)})
    return [_stored(tuple(row)) for row in rows]


def _stored(row: tuple[Any, ...]) -> StoredState:
    known = len(_INSTALLATION) + 1
    fields = zip((*_INSTALLATION, "closed_at_s"), row[:known], strict=True)
    return StoredState(**dict(fields), values=dict(zip(_COLUMNS, row[known:], strict=True)))


async def save_states(conn: AsyncConnection, states: Sequence[RatingState]) -> None:
    """Write all of them, and count their versions up; raises StaleState."""
    moved = [s for s in states if s.moved]
    saved = await _save(conn, _SAVE_WHOLE, moved, columns=_WHOLE)
    if len(moved) < len(states):
        within = [s for s in states if not s.moved]
        saved += await _save(conn, _SAVE_WITHIN, within, columns=_WITHIN)
    if saved != len(states):
        raise StaleState(len(states), saved)
    for s in states:
        s.version += 1
        s.moved = False


async def _save(
    conn: AsyncConnection,
    statement: TextClause,
    states: Sequence[RatingState],
    *,
    columns: tuple[Sequence[str], Sequence[str]],
) -> int:
    if not states:
        return 0
    numbers, lists = columns
    values = {name: array(map(attrgetter(name), states)) for name in (*_KEY, *numbers)}
    texts = {name: _array_of_arrays(map(attrgetter(name), states)) for name in lists}
    done = await conn.execute(statement, {**values, **texts})
    return done.rowcount


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
    done = await conn.execute(_TOUCH_STATE, {"id": installation_id})
    return done.rowcount == 1


async def ended(conn: AsyncConnection) -> AsyncIterator[EndedRating]:
    """All closed installations, by id."""
    async with conn.stream(_ENDED) as rows:
        async for row in rows:
            yield EndedRating(*row)


async def add_scopes(conn: AsyncConnection, scopes: Sequence[ClosedScope]) -> None:
    ids, versions, months, slots, days, used_days, demand, costs = zip(*scopes, strict=True)
    numbers = (ids, versions, months, days, used_days, costs)
    columns = {name: array(values) for name, values in zip(_SCOPE_NUMBERS, numbers, strict=True)}
    await conn.execute(
        _ADD_SCOPES,
        {**columns, "slots": _array_of_arrays(slots), "demand": _array_of_arrays(demand)},
    )


def _array_of_arrays(rows: Iterable[Sequence[int]]) -> str:
    """Arrays of different lengths, each as text: PostgreSQL has none but rectangular ones."""
    return "{" + ",".join([f'"{array(row)}"' for row in rows]) + "}"
