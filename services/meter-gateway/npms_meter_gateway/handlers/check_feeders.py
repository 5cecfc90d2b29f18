"""The sum check: what a feeder delivered a day against what its members counted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.feeder import Day, Loss, days_of, sum_check
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.storage import feeders
from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing
from npms_shared.loops import wait_or_stop

EVERY_S = 30.0
FEEDER_LOSS = "feeder_loss"
SETTLES_H = 2
"""Hours after a day's end in which its last readings may still come."""
WAITED_FOR_H = 48
"""After which a day is put down without those that are still missing."""
LOOKED_BACK_DAYS = 7

log = structlog.get_logger()


class UnknownFeeder(Exception):
    pass


class UnknownMembers(Exception):
    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(f"nobody has opened {', '.join(map(str, ids))}")
        self.ids = ids


class OwnMember(Exception):
    """A feeder does not supply itself."""


@dataclass(frozen=True, slots=True)
class FeederTerms:
    """Its members' installations, and how much of a day's delivery may be lost."""

    members: Sequence[int]
    tolerance_ppm: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class FeederBook:
    database: Database
    clock: Clock

    async def put(self, feeder_id: int, terms: FeederTerms, *, by: str, reason: str) -> None:
        """Raises UnknownFeeder, UnknownMembers, OwnMember."""
        if feeder_id in terms.members:
            raise OwnMember(feeder_id)
        async with self.database.transaction() as conn:
            known = await feeders.known_of(conn, [feeder_id, *terms.members])
            if feeder_id not in known:
                raise UnknownFeeder
            if strangers := sorted(set(terms.members) - known):
                raise UnknownMembers(strangers)
            await feeders.put_feeder(
                conn,
                feeder_id,
                sorted(set(terms.members)),
                tolerance_ppm=terms.tolerance_ppm,
                time_zone=terms.time_zone,
                by=by,
                reason=reason,
                at=self.clock.now(),
            )

    async def show(self, feeder_id: int) -> Row[Any]:
        """Raises UnknownFeeder."""
        async with self.database.connect() as conn:
            return await _find(conn, feeder_id)

    async def page(self, *, after: int, limit: int) -> Sequence[Row[Any]]:
        """Feeders with an id above `after`, in the order of their ids."""
        async with self.database.connect() as conn:
            return await feeders.list_feeders(conn, after=after, limit=limit)

    async def losses(
        self, feeder_id: int, first: date, end: date
    ) -> tuple[Row[Any], Sequence[Loss]]:
        """The feeder and each local day of [first, end), from the readings as they are now.

        Raises UnknownFeeder.
        """
        async with self.database.connect() as conn:
            feeder = await _find(conn, feeder_id)
            days = list(days_of(first, end, ZoneInfo(feeder.time_zone)))
            return feeder, await _check(conn, feeder, days)

    async def judge(self) -> int:
        """Put down every day that is over, raise what is beyond its tolerance; returns how many."""
        after, judged = 0, 0
        while rows := await self.page(after=after, limit=100):
            for feeder in rows:
                if feeder.members:
                    judged += await self._judge_one(feeder)
            after = rows[-1].installation_id
        return judged

    async def _judge_one(self, feeder: Row[Any]) -> int:
        now, judged = self.clock.now(), 0
        async with self.database.transaction() as conn:
            last = await feeders.last_judged(conn, feeder.installation_id)
            for loss in await _check(conn, feeder, _over(feeder, last, now)):
                waits = now.timestamp() < loss.day.end_s + WAITED_FOR_H * 3600
                if (loss.loss_wh is None or loss.estimated) and waits:
                    break
                judged += await self._put_down(conn, feeder, loss)
        return judged

    async def _put_down(self, conn: AsyncConnection, feeder: Row[Any], loss: Loss) -> bool:
        is_beyond = loss.is_beyond(feeder.tolerance_ppm)
        feeder_id = feeder.installation_id
        new = await feeders.judge_day(
            conn, feeder_id, loss, is_beyond=is_beyond, at=self.clock.now()
        )
        if not new or is_beyond is None:
            return new
        detail = f"{loss.day.day}: {loss.loss_wh} of {loss.feeder_wh} Wh lost"
        if is_beyond:
            await raise_alarm(
                conn,
                self.clock,
                installation_id=feeder_id,
                account_id=feeder.account_id,
                kind=FEEDER_LOSS,
                detail=detail,
            )
        else:
            await clear_alarm(
                conn, self.clock, installation_id=feeder_id, kind=FEEDER_LOSS, detail=detail
            )
        return new


async def _find(conn: AsyncConnection, feeder_id: int) -> Row[Any]:
    feeder = await feeders.find_feeder(conn, feeder_id)
    if feeder is None:
        raise UnknownFeeder
    return feeder


async def _check(conn: AsyncConnection, feeder: Row[Any], days: Sequence[Day]) -> list[Loss]:
    ids = [feeder.installation_id, *feeder.members]
    instants = [at_s for day in days for at_s in (day.begin_s, day.end_s)]
    known = await feeders.registers_around(conn, ids, instants)
    return [sum_check(day, feeder.installation_id, feeder.members, known) for day in days]


def _over(feeder: Row[Any], last: date | None, now: datetime) -> list[Day]:
    """Days that are over and settled, after the last one judged, and not of long ago."""
    zone = ZoneInfo(feeder.time_zone)
    end = (now - timedelta(hours=SETTLES_H)).astimezone(zone).date()
    begun = max(feeder.changed_at, feeder.opened_at).astimezone(zone).date()
    first = begun if last is None else last + timedelta(days=1)
    return list(days_of(max(first, end - timedelta(days=LOOKED_BACK_DAYS)), end, zone))


async def keep_checking(book: FeederBook, stopping: asyncio.Event) -> None:
    """Twice a minute until told to stop; a database that is away is waited for."""
    while not stopping.is_set():
        try:
            await book.judge()
        except Exception as fault:
            if not is_passing(fault):
                raise
            log.warning("database_away", fault=repr(fault))
        await wait_or_stop(stopping, EVERY_S)
