"""What supply should be, what it was seen to be, and how both come together (rule 5)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import (
    Desired,
    Finding,
    Obstacle,
    SwitchingPolicy,
    pause_s,
)
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.handlers.block_supply import Supply, block_supply, tell_unreachable
from npms_meter_gateway.handlers.command_log import (
    CommandLog,
    Ending,
    Seen,
    close_commands,
)
from npms_meter_gateway.handlers.guard_openings import OpeningGuard
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_meter_gateway.outgoing import supply_reported
from npms_meter_gateway.storage import supplies
from npms_meter_gateway.storage.supplies import Note
from npms_shared.clock import Clock
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.db.engine import Database
from npms_shared.messaging import outbox

Reported = tuple[int | None, str | None, bool | None, int | None, str, str]
"""(revision, state, verified, limit_w, awaits, blocked_by)"""


@dataclass(frozen=True, slots=True)
class DueSupply:
    """A supply that is not as desired, with how often that was tried in vain.

    `place` is the site, or else the gateway, whose load returns together. `commanded`: a command
    for this revision was acknowledged; `has_open`: one has not ended; `has_alarm`: one of its relay
    is open; `renews`: it is in place, and to be opened anew before it closes by itself; `moved`:
    somebody else moved it. `suspicion`: why the meter that answers is not believed to be the one
    installed; `serial` is the number believed, None before any was told.
    """

    installation_id: int
    account_id: int
    desired: Desired
    decided_at: datetime
    attempts: int
    alarmed: bool
    reported: Reported
    profile: str
    place: str
    commanded: bool = False
    has_open: bool = False
    has_alarm: bool = False
    renews: bool = False
    moved: bool = False
    suspicion: str | None = None
    serial: str | None = None

    @property
    def plain(self) -> Supply:
        return Supply(self.installation_id, self.account_id, self.desired)

    @property
    def was_in_place(self) -> bool:
        """Whether this very revision was reported done before: then the relay has moved since."""
        done = (self.desired.revision, self.desired.state, True)
        return self.reported[:3] == done and not self.attempts


async def accept_desired_supply(conn: AsyncConnection, event: SupplyDesired, clock: Clock) -> None:
    """The newest revision is worked toward; an older one changes nothing."""
    if await supplies.desire(conn, event, now=clock.wall_now()):
        await tell_unreachable(conn, clock, event.installation_id)


class SupplyBook:
    """The desired and reported states, as the switching loop needs them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: SwitchingPolicy,
        *,
        holder: UUID | None = None,
    ) -> None:
        """`holder` is the worker whose gateways' supplies are due here; None is all."""
        self._database, self._clock, self.policy = database, clock, policy
        self._holder = holder
        self.commands = CommandLog(database, clock, OpeningGuard(database, clock, policy.cap))

    def seen(self, answer: MeterAnswer) -> Seen:
        """An answer that came just now."""
        return Seen(self._clock.now(), answer)

    async def due(
        self, state: State, limit: int, busy: Collection[int] = (), full: Collection[str] = ()
    ) -> list[DueSupply]:
        """What may be tried now, by the order of the rule (`storage.supplies.due`)."""
        async with self._database.connect() as conn:
            rows = await supplies.due(
                conn,
                state,
                now=self._clock.wall_now(),
                limit=limit,
                holder=self._holder,
                busy=busy,
                full=full,
            )
        return [_due(row) for row in rows]

    async def holds(self, supply: DueSupply) -> bool:
        """Whether its revision is the newest still."""
        async with self._database.connect() as conn:
            newest = await supplies.desired_revision(conn, supply.installation_id)
        return newest == supply.desired.revision

    async def postpone(self, supply: DueSupply, pause: float) -> None:
        """Nothing could be seen: try again after `pause` real seconds, without counting it."""
        async with self._database.transaction() as conn:
            await supplies.postpone(
                conn,
                supply.installation_id,
                revision=supply.desired.revision,
                next_try_at=self._in(pause),
                now=self._clock.now(),
            )

    async def note_serial(self, supply: DueSupply, told: str) -> bool:
        """Keep the number that the meter told; whether it is the one believed."""
        async with self._database.transaction() as conn:
            return await note_serial(
                conn,
                self._clock,
                installation_id=supply.installation_id,
                account_id=supply.account_id,
                serial=told,
            )

    async def report_suspect(self, supply: DueSupply) -> None:
        """Another meter answers than the one installed: nothing is written to it, whatever is
        desired, until it is known which is the right one.
        """
        why = f"not switched: {supply.suspicion or 'another meter answers'}"
        await self._block(supply, "suspect", why)

    async def report_stopped(self, supply: DueSupply) -> None:
        """The gateway opens no more supplies until a person lets it."""
        await self._block(supply, "stopped", "not opened: the gateway's cap is reached")

    async def _block(self, supply: DueSupply, by: Obstacle, detail: str) -> None:
        async with self._database.transaction() as conn:
            await block_supply(
                conn,
                self._clock,
                supply.plain,
                by,
                detail,
                pause_s=self.policy.longest_pause_s,
            )

    async def report_suspended(self, supply: DueSupply, pause: float, cause: str) -> None:
        """Its line is down: nothing counts as an attempt; told once that the state is unknown. What
        was last seen of it stays known here.
        """
        finding = Finding(
            "unknown", verified=False, in_place=False, detail=f"not reached: {cause}", awaits="link"
        )
        await self.postpone(supply, pause)
        async with self._database.transaction() as conn:
            revision = supply.desired.revision
            if await supplies.suspend(conn, supply.installation_id, revision=revision):
                await self._tell(conn, supply, finding)

    async def report_in_place(
        self,
        supply: DueSupply,
        finding: Finding,
        seen: Sequence[Seen] = (),
        *,
        renew_after_s: float | None = None,
    ) -> None:
        """It is as desired, as far as it is for us to do."""
        note = Note(
            attempts=0,
            alarmed=False,
            settled=True,
            next_try_at=self._in(0),
            renew_at=self._in(renew_after_s) if renew_after_s and finding.state == "off" else None,
        )
        async with self._database.transaction() as conn:
            if await self._note(conn, supply, finding, note):
                await self._close(conn, supply, "confirmed", seen)
                if supply.has_alarm:
                    await self._clear(conn, supply, *_settled_alarms(supply, seen))
        if seen and finding.verified and finding.state == "on":
            waited = self._clock.now() - supply.decided_at
            metrics.RECONNECTED.observe(max(waited.total_seconds(), 0))

    async def report_waiting(
        self, supply: DueSupply, finding: Finding, seen: Sequence[Seen]
    ) -> None:
        """The customer has to do the rest: no failure, no alarm; looked at now and then."""
        note = self._again(supply, 0, self.policy.armed_look_s)
        async with self._database.transaction() as conn:
            if await self._note(conn, supply, finding, note):
                await self._close(conn, supply, "confirmed", seen)

    async def report_failure(
        self, supply: DueSupply, finding: Finding, seen: Sequence[Seen]
    ) -> None:
        """An attempt was in vain: cool down, and after some attempts tell a person, once."""
        attempts = supply.attempts + 1
        alarms = attempts >= self.policy.alarm_after and not supply.alarmed
        note = self._again(supply, attempts, pause_s(attempts, self.policy), moved=supply.moved)
        async with self._database.transaction() as conn:
            note = replace(note, alarmed=supply.alarmed or alarms)
            if not await self._note(conn, supply, finding, note):
                return
            await self._close(conn, supply, "in_vain", seen)
            if alarms:
                kind = "relay_welded" if finding.welded else "relay_stuck"
                detail = f"desired {supply.desired.state}, {attempts} attempts; {finding.detail}"
                await self._alarm(conn, supply, kind, detail)

    async def report_moved(
        self, supply: DueSupply, finding: Finding, *, is_left: bool
    ) -> DueSupply:
        """Somebody else moved it: told once, whatever is done about it; `is_left` where that is
        nothing. Returns it as noted.
        """
        finding = replace(finding, blocked_by="moved" if is_left else "")
        detail = f"left {supply.desired.state}, seen {finding.state}; {finding.detail}"
        note = self._again(supply, 0, self.policy.longest_pause_s, moved=True)
        async with self._database.transaction() as conn:
            noted = await self._note(conn, supply, finding, note)
            if noted and not supply.moved:
                await self._alarm(conn, supply, "relay_moved", detail.removesuffix("; "))
        return replace(supply, reported=_told(supply, finding), moved=True, has_alarm=True)

    async def report_unswitchable(self, supply: DueSupply, finding: Finding, why: str) -> None:
        """This meter cannot be moved so from afar: say so for every revision, to a person once."""
        async with self._database.transaction() as conn:
            pause = self.policy.longest_pause_s
            note = replace(self._again(supply, 0, pause), alarmed=True)
            await self._note(conn, supply, replace(finding, blocked_by="no_relay"), note)
            await self._tell_no_relay(conn, supply, why)

    async def report_no_relay(self, supply: DueSupply) -> None:
        """This meter cannot be switched: say so for every revision, and to a person once."""
        finding = Finding(
            "unknown", verified=False, in_place=False, detail="no relay", blocked_by="no_relay"
        )
        note = Note(attempts=0, alarmed=False, settled=True, next_try_at=self._in(0))
        async with self._database.transaction() as conn:
            await self._note(conn, supply, finding, note)
            await self._tell_no_relay(conn, supply, f"profile {supply.profile} has none")

    async def _tell_no_relay(self, conn: AsyncConnection, supply: DueSupply, why: str) -> None:
        if supply.desired.state == "off":
            await self._alarm(conn, supply, "no_relay", why)
        else:
            await self._clear(conn, supply, "no_relay")

    def _in(self, seconds: float) -> datetime:
        return self._clock.wall_now() + timedelta(seconds=seconds)

    def _again(
        self, supply: DueSupply, attempts: int, pause: float, *, moved: bool = False
    ) -> Note:
        return Note(attempts, supply.alarmed, False, self._in(pause), moved=moved)

    async def _close(
        self, conn: AsyncConnection, supply: DueSupply, ending: Ending, seen: Sequence[Seen]
    ) -> None:
        await close_commands(
            conn,
            supply.installation_id,
            supply.desired.revision,
            ending,
            seen,
            now=self._clock.now(),
        )

    async def _note(
        self, conn: AsyncConnection, supply: DueSupply, finding: Finding, note: Note
    ) -> bool:
        """Keep the finding and tell it if it is news; False when a newer revision came."""
        revision = supply.desired.revision
        noted = await supplies.report(
            conn,
            supply.installation_id,
            finding,
            note,
            revision=revision,
            now=self._clock.now(),
        )
        if noted and _told(supply, finding) != supply.reported:
            await self._tell(conn, supply, finding)
        return noted

    async def _tell(self, conn: AsyncConnection, supply: DueSupply, finding: Finding) -> None:
        event = supply_reported(
            supply.installation_id,
            supply.account_id,
            finding,
            desired=supply.desired,
            at=self._clock.now(),
        )
        await outbox.publish(conn, event, subject=str(supply.account_id))

    async def _alarm(
        self, conn: AsyncConnection, supply: DueSupply, kind: str, detail: str
    ) -> None:
        await raise_alarm(
            conn,
            self._clock,
            installation_id=supply.installation_id,
            account_id=supply.account_id,
            kind=kind,
            detail=detail,
        )

    async def _clear(self, conn: AsyncConnection, supply: DueSupply, *kinds: str) -> None:
        for kind in kinds:
            await clear_alarm(
                conn,
                self._clock,
                installation_id=supply.installation_id,
                kind=kind,
                detail=f"{supply.desired.state} is desired, and so it is",
            )


def _told(supply: DueSupply, finding: Finding) -> Reported:
    revision = supply.desired.revision
    return (
        revision,
        finding.state,
        finding.verified,
        finding.limit_w,
        finding.awaits,
        finding.blocked_by,
    )


def _settled_alarms(supply: DueSupply, seen: Sequence[Seen]) -> tuple[str, ...]:
    """A relay that follows no command is not mended by standing right without one."""
    if seen or supply.alarmed:
        return ("relay_moved", "relay_stuck", "relay_welded", "no_relay")
    return ("relay_moved",)


def _due(row: Row[Any]) -> DueSupply:
    return DueSupply(
        installation_id=row.installation_id,
        account_id=row.account_id,
        desired=Desired(
            row.desired_state, row.desired_revision, row.desired_reason, row.desired_limit_w
        ),
        decided_at=row.decided_at,
        attempts=row.attempts,
        alarmed=row.alarmed,
        reported=(
            row.reported_revision,
            row.reported_state,
            row.reported_verified,
            row.reported_limit_w,
            row.awaits,
            row.blocked_by,
        ),
        profile=row.profile,
        place=row.place,
        commanded=row.commanded,
        has_open=row.has_open,
        has_alarm=row.has_alarm,
        renews=row.renews,
        moved=row.moved_at is not None,
        suspicion=row.suspicion,
        serial=row.serial,
    )
