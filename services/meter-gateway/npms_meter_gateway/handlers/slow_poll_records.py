"""What a slow poll of a meter found: kept, and told where a person should see it. Conditions are
alarms: open while they are seen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.new_log_entries import NewLogEntries
from npms_meter_gateway.domain.records import LogEntry
from npms_meter_gateway.domain.slow_poll_state import SlowPollState
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm, raise_event
from npms_meter_gateway.storage import alarms, reckonings, slow_polls


@dataclass(frozen=True, slots=True)
class InstallationRef:
    """The installation that a slow poll is about."""

    installation_id: int
    account_id: int


class _Installed(Protocol):
    """Something that knows its installation, as a polled meter does."""

    @property
    def installation_id(self) -> int: ...
    @property
    def account_id(self) -> int: ...


def installation_of(meter: _Installed) -> InstallationRef:
    return InstallationRef(meter.installation_id, meter.account_id)


async def find_slow_poll_state(
    conn: AsyncConnection, installation: InstallationRef
) -> SlowPollState:
    """What earlier slow polls found."""
    return await slow_polls.state_of(conn, installation.installation_id)


async def last_reading_at(conn: AsyncConnection, installation: InstallationRef) -> datetime:
    """When its last accepted reading was taken; its opening before the first."""
    return await slow_polls.last_reading_at(conn, installation.installation_id)


async def open_of_kind(conn: AsyncConnection, kind: str) -> set[int]:
    """The installations that have this alarm open."""
    return await alarms.open_of_kind(conn, kind)


async def note_conditions(
    conn: AsyncConnection,
    context: Context,
    installation: InstallationRef,
    looked_for: Collection[str],
    found: Mapping[str, str],
) -> None:
    """Of the kinds looked for, those `found`, with their details, are open, and no others."""
    known = await alarms.open_kinds(conn, installation.installation_id)
    for kind in sorted(found.keys() - known):
        await _raise(conn, context, installation, kind, found[kind])
    for kind in sorted(known & set(looked_for) - found.keys()):
        await _clear(conn, context, installation, kind, "seen no more")


async def recorded_ratio(
    conn: AsyncConnection, context: Context, installation: InstallationRef
) -> Fraction:
    """By what its register is multiplied now."""
    at_s = int(context.clock.now().timestamp())
    return (await reckonings.reckoning_at(conn, installation.installation_id, at_s)).ratio


async def note_clock(
    conn: AsyncConnection,
    context: Context,
    installation: InstallationRef,
    drift_s: int,
    *,
    is_wrong: bool,
    was_s: int | None = None,
) -> None:
    """The clock is so far ahead; `was_s` where it was set just now, and how far ahead then."""
    now = context.clock.now()
    set_on = None if was_s is None else context.clocks.today(now)
    await slow_polls.note_clock(
        conn, installation.installation_id, drift_s=drift_s, at=now, set_on=set_on
    )
    if was_s is not None:
        await _tell(
            conn, context, installation, "clock_set", f"was {was_s:+d} s, is {drift_s:+d} s"
        )
    if is_wrong:
        await _raise(conn, context, installation, "clock_wrong", f"{drift_s:+d} s")
    else:
        await _clear(conn, context, installation, "clock_wrong", f"{drift_s:+d} s")


async def note_log(
    conn: AsyncConnection, context: Context, installation: InstallationRef, news: NewLogEntries
) -> None:
    """Tell every new entry, in order, and remember that they were told."""
    if news.overflowed:
        await _tell(
            conn, context, installation, "event_log_overflow", "the log is full of new entries"
        )
    if news.emptied:
        await _tell(conn, context, installation, "history_cleared", "the log was emptied")
    for kind, detail in told_as(news.entries):
        await _tell(conn, context, installation, kind, detail)
    await slow_polls.note_log(conn, installation.installation_id, head=news.head)


async def _tell(
    conn: AsyncConnection, context: Context, installation: InstallationRef, kind: str, detail: str
) -> None:
    await raise_event(
        conn,
        context,
        installation_id=installation.installation_id,
        account_id=installation.account_id,
        kind=kind,
        detail=detail,
    )


async def _raise(
    conn: AsyncConnection, context: Context, installation: InstallationRef, kind: str, detail: str
) -> None:
    await raise_alarm(
        conn,
        context,
        installation_id=installation.installation_id,
        account_id=installation.account_id,
        kind=kind,
        detail=detail,
    )


async def _clear(
    conn: AsyncConnection, context: Context, installation: InstallationRef, kind: str, detail: str
) -> None:
    await clear_alarm(
        conn, context, installation_id=installation.installation_id, kind=kind, detail=detail
    )


def told_as(entries: Sequence[LogEntry]) -> list[tuple[str, str]]:
    """(kind, detail) of each thing that entries tell, in their order."""
    return [
        (kind, f"{entry.at or 'at no time'} by its clock, code {entry.code:#06x} {entry.detail}")
        for entry in entries
        for kind in entry.kinds
    ]
