"""What slow polls learned of each meter: its serial, its clock, how far its log was read."""

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.slow_poll_state import SlowPollState

_STATE = text(
    """
    SELECT r.drift_s, r.drift_at, r.clock_set_on, r.log_head, r.serial, r.seen_serial,
           i.serial AS installed_serial
    FROM meter_round r LEFT JOIN installation i USING (installation_id)
    WHERE installation_id = :id
    """
)
_TAKE = text(
    """
    INSERT INTO meter_round (installation_id) VALUES (:id)
    ON CONFLICT (installation_id) DO UPDATE SET installation_id = excluded.installation_id
    """
)
_SERIAL = text(
    """
    UPDATE meter_round SET seen_serial = :serial, serial = coalesce(serial, :known)
    WHERE installation_id = :id
    """
)
_ACCEPT = text("UPDATE meter_round SET serial = :serial WHERE installation_id = :id")
_LAST = text(
    """
    SELECT coalesce(
        (SELECT max(taken_at) FROM reading WHERE installation_id = :id), i.opened_at
    ) FROM installation i WHERE i.installation_id = :id
    """
)
_CLOCK = text(
    """
    INSERT INTO meter_round AS r (installation_id, drift_s, drift_at, clock_set_on)
    VALUES (:id, :drift_s, :at, :set_on)
    ON CONFLICT (installation_id) DO UPDATE
    SET drift_s = excluded.drift_s, drift_at = excluded.drift_at,
        clock_set_on = coalesce(excluded.clock_set_on, r.clock_set_on)
    """
)
_HEAD = text(
    """
    INSERT INTO meter_round (installation_id, log_head) VALUES (:id, :head)
    ON CONFLICT (installation_id) DO UPDATE SET log_head = excluded.log_head
    """
)


async def state_of(conn: AsyncConnection, installation_id: int) -> SlowPollState:
    """All None before the first slow poll."""
    row = (await conn.execute(_STATE, {"id": installation_id})).one_or_none()
    return SlowPollState() if row is None else SlowPollState(**row._mapping)


async def note_clock(
    conn: AsyncConnection, installation_id: int, *, drift_s: int, at: datetime, set_on: date | None
) -> None:
    """`set_on` is the day on which it was set just now, None where it was not."""
    values = {"id": installation_id, "drift_s": drift_s, "at": at, "set_on": set_on}
    await conn.execute(_CLOCK, values)


async def note_log(conn: AsyncConnection, installation_id: int, *, head: str) -> None:
    await conn.execute(_HEAD, {"id": installation_id, "head": head})


async def last_reading_at(conn: AsyncConnection, installation_id: int) -> datetime:
    """Of the accepted ones; the opening before the first."""
    found: datetime = (await conn.execute(_LAST, {"id": installation_id})).scalar_one()
    return found


async def take_state(conn: AsyncConnection, installation_id: int) -> SlowPollState:
    """As `state_of`, held by us until the transaction ends."""
    await conn.execute(_TAKE, {"id": installation_id})
    return await state_of(conn, installation_id)


async def note_serial(
    conn: AsyncConnection, installation_id: int, serial: str, *, known: str
) -> None:
    """The number seen last, and the one believed from the first on."""
    await conn.execute(_SERIAL, {"id": installation_id, "serial": serial, "known": known})


async def accept_serial(conn: AsyncConnection, installation_id: int, serial: str) -> None:
    """Believe this number from now on."""
    await conn.execute(_ACCEPT, {"id": installation_id, "serial": serial})
