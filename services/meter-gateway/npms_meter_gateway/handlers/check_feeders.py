"""The sum check: what a feeder delivered a day against what its members counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.feeder import Day, Feeder, Loss, days_of, sum_check
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.storage import feeders
from npms_shared.actor import Actor
from npms_shared.db import audit_trail

FEEDER_LOSS = "feeder_loss"
SETTLES_H = 2
"""Hours after a day's end in which its last readings may still come."""
WAITED_FOR_H = 48
"""After which a day is put down without those that are still missing."""
LOOKED_BACK_DAYS = 7


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


async def put_feeder(
    conn: AsyncConnection,
    context: Context,
    feeder_id: int,
    terms: FeederTerms,
    *,
    by: Actor,
    reason: str,
) -> Feeder:
    """Raises UnknownFeeder, UnknownMembers, OwnMember."""
    await _check_terms(conn, feeder_id, terms)
    before = await feeders.find_feeder(conn, feeder_id)
    now = context.clock.now()
    await feeders.put_feeder(
        conn,
        feeder_id,
        sorted(set(terms.members)),
        tolerance_ppm=terms.tolerance_ppm,
        time_zone=terms.time_zone,
        by=by.subject,
        reason=reason,
        at=now,
    )
    after = await find_feeder(conn, feeder_id)
    await audit_trail.note(
        conn,
        by,
        "feeder_set",
        subject=f"feeder:{feeder_id}",
        now=now,
        reason=reason,
        before=None if before is None else _facts(before),
        after=_facts(after),
    )
    return after


async def _check_terms(conn: AsyncConnection, feeder_id: int, terms: FeederTerms) -> None:
    if feeder_id in terms.members:
        raise OwnMember(feeder_id)
    known = await feeders.known_of(conn, [feeder_id, *terms.members])
    if feeder_id not in known:
        raise UnknownFeeder
    if strangers := sorted(set(terms.members) - known):
        raise UnknownMembers(strangers)


def _facts(feeder: Feeder) -> dict[str, object]:
    return {
        "members": feeder.members,
        "tolerance_ppm": feeder.tolerance_ppm,
        "time_zone": feeder.time_zone,
    }


async def find_feeder(conn: AsyncConnection, feeder_id: int) -> Feeder:
    """Raises UnknownFeeder."""
    feeder = await feeders.find_feeder(conn, feeder_id)
    if feeder is None:
        raise UnknownFeeder
    return feeder


async def list_feeders(conn: AsyncConnection, *, after: int, limit: int) -> Sequence[Feeder]:
    """Feeders with an id above `after`, in the order of their ids."""
    return await feeders.list_feeders(conn, after=after, limit=limit)


async def list_losses(
    conn: AsyncConnection, feeder_id: int, first: date, end: date
) -> tuple[Feeder, Sequence[Loss]]:
    """The feeder and each local day of [first, end), from the readings as they are now.

    Raises UnknownFeeder.
    """
    feeder = await find_feeder(conn, feeder_id)
    days = list(days_of(first, end, ZoneInfo(feeder.time_zone)))
    return feeder, await _check(conn, feeder, days)


async def judge_days(conn: AsyncConnection, context: Context, feeder: Feeder) -> int:
    """Put down every day of a feeder that is over, raise what is beyond its tolerance; returns how
    many.
    """
    now, judged = context.clock.now(), 0
    if not feeder.members:
        return 0
    last = await feeders.last_judged(conn, feeder.installation_id)
    for loss in await _check(conn, feeder, _over(feeder, last, now)):
        waits = now.timestamp() < loss.day.end_s + WAITED_FOR_H * 3600
        if (loss.loss_wh is None or loss.estimated) and waits:
            break
        judged += await _put_down(conn, context, feeder, loss)
    return judged


async def _put_down(conn: AsyncConnection, context: Context, feeder: Feeder, loss: Loss) -> bool:
    is_beyond = loss.is_beyond(feeder.tolerance_ppm)
    feeder_id = feeder.installation_id
    at = context.clock.now()
    new = await feeders.judge_day(conn, feeder_id, loss, is_beyond=is_beyond, at=at)
    if not new or is_beyond is None:
        return new
    detail = f"{loss.day.day}: {loss.loss_wh} of {loss.feeder_wh} Wh lost"
    if is_beyond:
        await raise_alarm(
            conn,
            context,
            installation_id=feeder_id,
            account_id=feeder.account_id,
            kind=FEEDER_LOSS,
            detail=detail,
        )
    else:
        await clear_alarm(conn, context, installation_id=feeder_id, kind=FEEDER_LOSS, detail=detail)
    return new


async def _check(conn: AsyncConnection, feeder: Feeder, days: Sequence[Day]) -> list[Loss]:
    ids = [feeder.installation_id, *feeder.members]
    instants = [at_s for day in days for at_s in (day.begin_s, day.end_s)]
    known = await feeders.registers_around(conn, ids, instants)
    return [sum_check(day, feeder.installation_id, feeder.members, known) for day in days]


def _over(feeder: Feeder, last: date | None, now: datetime) -> list[Day]:
    """Days that are over and settled, after the last one judged, and not of long ago."""
    zone = ZoneInfo(feeder.time_zone)
    end = (now - timedelta(hours=SETTLES_H)).astimezone(zone).date()
    begun = max(feeder.changed_at, feeder.opened_at).astimezone(zone).date()
    first = begun if last is None else last + timedelta(days=1)
    return list(days_of(max(first, end - timedelta(days=LOOKED_BACK_DAYS)), end, zone))
