"""What a slow poll of a meter found: kept, and told where a person should see it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_meter_gateway.domain.new_log_entries import NewLogEntries
from npms_meter_gateway.domain.records import LogEntry
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm, raise_event
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_meter_gateway.storage import alarms, reckonings, slow_polls
from npms_meter_gateway.storage.slow_polls import SlowPollState
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


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


class SlowPollRecords:
    """Keeps what slow polls find. Conditions are alarms: open while they are seen."""

    def __init__(self, database: Database, clock: Clock, policy: ClockPolicy) -> None:
        self._database, self._clock, self.policy = database, clock, policy

    def now(self) -> datetime:
        return self._clock.now()

    async def state(self, installation: InstallationRef) -> SlowPollState:
        """What earlier slow polls found."""
        async with self._database.connect() as conn:
            return await slow_polls.state_of(conn, installation.installation_id)

    async def last_reading_at(self, installation: InstallationRef) -> datetime:
        """When its last accepted reading was taken; its opening before the first."""
        async with self._database.connect() as conn:
            return await slow_polls.last_reading_at(conn, installation.installation_id)

    async def open_of_kind(self, kind: str) -> set[int]:
        """The installations that have this alarm open."""
        async with self._database.connect() as conn:
            return await alarms.open_of_kind(conn, kind)

    async def note_conditions(
        self, installation: InstallationRef, looked_for: Collection[str], found: Mapping[str, str]
    ) -> None:
        """Of the kinds looked for, those `found`, with their details, are open, and no others."""
        async with self._database.transaction() as conn:
            known = await alarms.open_kinds(conn, installation.installation_id)
            for kind in sorted(found.keys() - known):
                await self._raise(conn, installation, kind, found[kind])
            for kind in sorted(known & set(looked_for) - found.keys()):
                await self._clear(conn, installation, kind, "seen no more")

    async def note_serial(self, installation: InstallationRef, serial: str) -> bool:
        """The number that the meter told; whether it is the one believed."""
        state = await self.state(installation)
        if state.serial == state.seen_serial == serial:
            return True
        async with self._database.transaction() as conn:
            return await note_serial(
                conn,
                self._clock,
                installation_id=installation.installation_id,
                account_id=installation.account_id,
                serial=serial,
            )

    async def recorded_ratio(self, installation: InstallationRef) -> Fraction:
        """By what its register is multiplied now."""
        async with self._database.connect() as conn:
            at_s = int(self.now().timestamp())
            return (await reckonings.reckoning_at(conn, installation.installation_id, at_s)).ratio

    async def note_clock(
        self,
        installation: InstallationRef,
        drift_s: int,
        *,
        is_wrong: bool,
        was_s: int | None = None,
    ) -> None:
        """The clock is so far ahead; `was_s` where it was set just now, and how far ahead then."""
        now = self.now()
        set_on = None if was_s is None else self.policy.today(now)
        async with self._database.transaction() as conn:
            await slow_polls.note_clock(
                conn, installation.installation_id, drift_s=drift_s, at=now, set_on=set_on
            )
            if was_s is not None:
                await self._tell(
                    conn, installation, "clock_set", f"was {was_s:+d} s, is {drift_s:+d} s"
                )
            if is_wrong:
                await self._raise(conn, installation, "clock_wrong", f"{drift_s:+d} s")
            else:
                await self._clear(conn, installation, "clock_wrong", f"{drift_s:+d} s")

    async def note_log(self, installation: InstallationRef, news: NewLogEntries) -> None:
        """Tell every new entry, in order, and remember that they were told."""
        async with self._database.transaction() as conn:
            if news.overflowed:
                await self._tell(
                    conn, installation, "event_log_overflow", "the log is full of new entries"
                )
            if news.emptied:
                await self._tell(conn, installation, "history_cleared", "the log was emptied")
            for kind, detail in told_as(news.entries):
                await self._tell(conn, installation, kind, detail)
            await slow_polls.note_log(conn, installation.installation_id, head=news.head)

    async def _tell(
        self, conn: AsyncConnection, installation: InstallationRef, kind: str, detail: str
    ) -> None:
        await raise_event(
            conn,
            self._clock,
            installation_id=installation.installation_id,
            account_id=installation.account_id,
            kind=kind,
            detail=detail,
        )

    async def _raise(
        self, conn: AsyncConnection, installation: InstallationRef, kind: str, detail: str
    ) -> None:
        await raise_alarm(
            conn,
            self._clock,
            installation_id=installation.installation_id,
            account_id=installation.account_id,
            kind=kind,
            detail=detail,
        )

    async def _clear(
        self, conn: AsyncConnection, installation: InstallationRef, kind: str, detail: str
    ) -> None:
        await clear_alarm(
            conn,
            self._clock,
            installation_id=installation.installation_id,
            kind=kind,
            detail=detail,
        )


def told_as(entries: Sequence[LogEntry]) -> list[tuple[str, str]]:
    """(kind, detail) of each thing that entries tell, in their order."""
    return [
        (kind, f"{entry.at or 'at no time'} by its clock, code {entry.code:#06x} {entry.detail}")
        for entry in entries
        for kind in entry.kinds
    ]
