"""What supply should be, what it was seen to be, and how both come together (rule 5)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.reconciling import Finding, Obstacle, pause_s
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.domain.supplies import DueSupply, Reported
from npms_meter_gateway.handlers.block_supply import block_supply, tell_unreachable
from npms_meter_gateway.handlers.command_log import Ending, Seen, close_commands
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.outgoing import supply_reported
from npms_meter_gateway.storage import supplies
from npms_meter_gateway.storage.supplies import Note
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.messaging import outbox


async def accept_desired_supply(
    conn: AsyncConnection, context: Context, event: SupplyDesired
) -> None:
    """The newest revision is worked toward; an older one changes nothing."""
    if await supplies.desire(conn, event, now=context.clock.wall_now()):
        await tell_unreachable(conn, context, event.installation_id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many supplies that should be in a state: none that is `busy`, none of a place that is
    `full`; only those behind gateways that the worker `holder` holds, all where it is None.
    """

    state: State
    limit: int
    busy: Collection[int] = ()
    full: Collection[str] = ()
    holder: UUID | None = None


async def list_due(conn: AsyncConnection, context: Context, wanted: Wanted) -> Sequence[DueSupply]:
    """What may be tried now, by the order of the rule (`storage.supplies.due`)."""
    return await supplies.due(
        conn,
        wanted.state,
        now=context.clock.wall_now(),
        limit=wanted.limit,
        holder=wanted.holder,
        busy=wanted.busy,
        full=wanted.full,
    )


async def is_newest(conn: AsyncConnection, supply: DueSupply) -> bool:
    """Whether its revision is the newest still."""
    newest = await supplies.desired_revision(conn, supply.installation_id)
    return newest == supply.desired.revision


async def postpone(
    conn: AsyncConnection, context: Context, supply: DueSupply, pause: float
) -> None:
    """Nothing could be seen: try again after `pause` real seconds, without counting it."""
    await supplies.postpone(
        conn,
        supply.installation_id,
        revision=supply.desired.revision,
        next_try_at=context.wall_after(pause),
        now=context.clock.now(),
    )


async def report_suspect(conn: AsyncConnection, context: Context, supply: DueSupply) -> None:
    """Another meter answers than the one installed: nothing is written to it, whatever is
    desired, until it is known which is the right one.
    """
    why = f"not switched: {supply.suspicion or 'another meter answers'}"
    await _block(conn, context, supply, "suspect", why)


async def report_stopped(conn: AsyncConnection, context: Context, supply: DueSupply) -> None:
    """The gateway opens no more supplies until a person lets it."""
    await _block(conn, context, supply, "stopped", "not opened: the gateway's cap is reached")


async def _block(
    conn: AsyncConnection, context: Context, supply: DueSupply, by: Obstacle, detail: str
) -> None:
    await block_supply(
        conn,
        context,
        supply.plain,
        by,
        detail,
        pause_s=context.switching.longest_pause_s,
    )


async def report_suspended(
    conn: AsyncConnection, context: Context, supply: DueSupply, pause: float, cause: str
) -> None:
    """Its line is down: nothing counts as an attempt; told once that the state is unknown. What
    was last seen of it stays known here.
    """
    finding = Finding(
        "unknown", verified=False, in_place=False, detail=f"not reached: {cause}", awaits="link"
    )
    await postpone(conn, context, supply, pause)
    revision = supply.desired.revision
    if await supplies.suspend(conn, supply.installation_id, revision=revision):
        await _tell(conn, context, supply, finding)


async def report_in_place(
    conn: AsyncConnection,
    context: Context,
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
        next_try_at=context.wall_after(0),
        renew_at=context.wall_after(renew_after_s)
        if renew_after_s and finding.state == "off"
        else None,
    )
    if await _note(conn, context, supply, finding, note):
        await _close(conn, context, supply, "confirmed", seen)
        if supply.has_alarm:
            await _clear(conn, context, supply, *_settled_alarms(supply, seen))
    if seen and finding.verified and finding.state == "on":
        waited = context.clock.now() - supply.decided_at
        metrics.RECONNECTED.observe(max(waited.total_seconds(), 0))


async def report_waiting(
    conn: AsyncConnection,
    context: Context,
    supply: DueSupply,
    finding: Finding,
    seen: Sequence[Seen],
) -> None:
    """The customer has to do the rest: no failure, no alarm; looked at now and then."""
    note = _again(context, supply, 0, context.switching.armed_look_s)
    if await _note(conn, context, supply, finding, note):
        await _close(conn, context, supply, "confirmed", seen)


async def report_failure(
    conn: AsyncConnection,
    context: Context,
    supply: DueSupply,
    finding: Finding,
    seen: Sequence[Seen],
) -> None:
    """An attempt was in vain: cool down, and after some attempts tell a person, once."""
    attempts = supply.attempts + 1
    alarms = attempts >= context.switching.alarm_after and not supply.alarmed
    note = _again(
        context, supply, attempts, pause_s(attempts, context.switching), moved=supply.moved
    )
    note = replace(note, alarmed=supply.alarmed or alarms)
    if not await _note(conn, context, supply, finding, note):
        return
    await _close(conn, context, supply, "in_vain", seen)
    if alarms:
        kind = "relay_welded" if finding.welded else "relay_stuck"
        detail = f"desired {supply.desired.state}, {attempts} attempts; {finding.detail}"
        await _alarm(conn, context, supply, kind, detail)


async def report_moved(
    conn: AsyncConnection, context: Context, supply: DueSupply, finding: Finding, *, is_left: bool
) -> DueSupply:
    """Somebody else moved it: told once, whatever is done about it; `is_left` where that is
    nothing. Returns it as noted.
    """
    finding = replace(finding, blocked_by="moved" if is_left else "")
    detail = f"left {supply.desired.state}, seen {finding.state}; {finding.detail}"
    note = _again(context, supply, 0, context.switching.longest_pause_s, moved=True)
    noted = await _note(conn, context, supply, finding, note)
    if noted and not supply.moved:
        await _alarm(conn, context, supply, "relay_moved", detail.removesuffix("; "))
    return replace(supply, reported=_told(supply, finding), moved=True, has_alarm=True)


async def report_unswitchable(
    conn: AsyncConnection, context: Context, supply: DueSupply, finding: Finding, why: str
) -> None:
    """This meter cannot be moved so from afar: say so for every revision, to a person once."""
    pause = context.switching.longest_pause_s
    note = replace(_again(context, supply, 0, pause), alarmed=True)
    await _note(conn, context, supply, replace(finding, blocked_by="no_relay"), note)
    await _tell_no_relay(conn, context, supply, why)


async def report_no_relay(conn: AsyncConnection, context: Context, supply: DueSupply) -> None:
    """This meter cannot be switched: say so for every revision, and to a person once."""
    finding = Finding(
        "unknown", verified=False, in_place=False, detail="no relay", blocked_by="no_relay"
    )
    note = Note(attempts=0, alarmed=False, settled=True, next_try_at=context.wall_after(0))
    await _note(conn, context, supply, finding, note)
    await _tell_no_relay(conn, context, supply, f"profile {supply.profile} has none")


async def _tell_no_relay(
    conn: AsyncConnection, context: Context, supply: DueSupply, why: str
) -> None:
    if supply.desired.state == "off":
        await _alarm(conn, context, supply, "no_relay", why)
    else:
        await _clear(conn, context, supply, "no_relay")


def _again(
    context: Context, supply: DueSupply, attempts: int, pause: float, *, moved: bool = False
) -> Note:
    return Note(attempts, supply.alarmed, False, context.wall_after(pause), moved=moved)


async def _close(
    conn: AsyncConnection, context: Context, supply: DueSupply, ending: Ending, seen: Sequence[Seen]
) -> None:
    await close_commands(
        conn,
        supply.installation_id,
        supply.desired.revision,
        ending,
        seen,
        now=context.clock.now(),
    )


async def _note(
    conn: AsyncConnection, context: Context, supply: DueSupply, finding: Finding, note: Note
) -> bool:
    """Keep the finding and tell it if it is news; False when a newer revision came."""
    revision = supply.desired.revision
    noted = await supplies.report(
        conn,
        supply.installation_id,
        finding,
        note,
        revision=revision,
        now=context.clock.now(),
    )
    if noted and _told(supply, finding) != supply.reported:
        await _tell(conn, context, supply, finding)
    return noted


async def _tell(
    conn: AsyncConnection, context: Context, supply: DueSupply, finding: Finding
) -> None:
    event = supply_reported(supply.plain, finding, at=context.clock.now())
    await outbox.publish(conn, event, subject=str(supply.account_id))


async def _alarm(
    conn: AsyncConnection, context: Context, supply: DueSupply, kind: str, detail: str
) -> None:
    await raise_alarm(
        conn,
        context,
        installation_id=supply.installation_id,
        account_id=supply.account_id,
        kind=kind,
        detail=detail,
    )


async def _clear(conn: AsyncConnection, context: Context, supply: DueSupply, *kinds: str) -> None:
    for kind in kinds:
        await clear_alarm(
            conn,
            context,
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
