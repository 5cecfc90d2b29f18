"""The gateway's own cap on how many supplies it opens, whatever it is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reconciling import OpeningCap
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.storage import openings, switching_decisions
from npms_shared.clock import Clock
from npms_shared.db.engine import Database

STOPPED = "mass_open_stopped"


class NotStopped(Exception):
    """No opening is held back."""


@dataclass(frozen=True, slots=True)
class Openings:
    """`opened` supplies count against the `cap` now; `stopped_at` while no more are opened."""

    cap: int
    window_s: int
    opened: int
    stopped_at: datetime | None


class OpeningGuard:
    """Counts in the database, so that all workers together stay within the cap.

    Once it would be exceeded nothing is opened any more, with one alarm, until a person lets it go
    on. What is open stays open, and closing is never held back.
    """

    def __init__(self, database: Database, clock: Clock, cap: OpeningCap) -> None:
        self._database, self._clock, self._cap = database, clock, cap

    async def may_open(self, conn: AsyncConnection, installation_id: int, account_id: int) -> bool:
        """Count an opening that is about to be commanded; False where it must not be."""
        guard, now = await openings.take(conn), self._clock.wall_now()
        if guard.stopped_at is not None:
            return False
        opened = await openings.count(conn, guard, since=self._since(now), but=installation_id)
        if opened >= self._cap.supplies:
            await openings.stop(conn, installation_id, now=now)
            await self._alarm(conn, installation_id, account_id)
            return False
        await openings.count_in(conn, installation_id, now=now)
        return True

    async def _alarm(self, conn: AsyncConnection, installation_id: int, account_id: int) -> None:
        cap = self._cap
        await raise_alarm(
            conn,
            self._clock,
            installation_id=installation_id,
            account_id=account_id,
            kind=STOPPED,
            detail=f"{cap.supplies} supplies were opened within {cap.window_s} s; none is any more",
        )

    async def show(self) -> Openings:
        async with self._database.connect() as conn:
            guard, now = await openings.show(conn), self._clock.wall_now()
            opened = await openings.count(conn, guard, since=self._since(now))
        return Openings(self._cap.supplies, self._cap.window_s, opened, guard.stopped_at)

    async def resume(self, *, by: str, reason: str) -> None:
        """Let openings go on, and count afresh. Raises NotStopped."""
        async with self._database.transaction() as conn:
            guard = await openings.take(conn)
            if guard.stopped_at is None or guard.stopped_with is None:
                raise NotStopped
            await openings.resume(conn, now=self._clock.wall_now())
            await clear_alarm(
                conn,
                self._clock,
                installation_id=guard.stopped_with,
                kind=STOPPED,
                detail=f"let go on by {by}: {reason}",
            )
            await switching_decisions.add_decision(
                conn,
                "resume_openings",
                installation_id=None,
                by=by,
                reason=reason,
                at=self._clock.now(),
            )

    def _since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self._cap.window_s)
