"""Works relays toward their desired states: read, ask again, write, read back, report."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from uuid import UUID

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.commands import What
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reconciling import (
    Desired,
    Finding,
    judge,
    must_limit,
    must_write,
)
from npms_meter_gateway.domain.relay import Relay
from npms_meter_gateway.domain.supplies import DueSupply
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import LinkFault, NotConnected, OtherMeter
from npms_meter_gateway.handlers.command_log import (
    ACKNOWLEDGED,
    Intention,
    Seen,
    begin_command,
    close_commands,
    note_answer,
)
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.switch_supply import (
    Wanted,
    is_newest,
    list_due,
    postpone,
    report_failure,
    report_in_place,
    report_moved,
    report_no_relay,
    report_stopped,
    report_suspect,
    report_suspended,
    report_unswitchable,
    report_waiting,
)
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_meter_gateway.polling.transactions import in_transaction
from npms_meter_gateway.polling.unit import Suspended, Unit

POLL_EVERY_S = 0.2
AFRESH_S, BACKLOG_S, BATCHES = 1.0, 0.02, 16
"""Of many that are due, as after a restart, as many batches are fetched as a second may bring; what
became due or obsolete meanwhile is seen a second later, obsolete ones before anything is sent.
"""
READ_BACKS = 3
PULSED = frozenset({"switched", "ghost_success", "in_vain", "armed", "unseen"})
"""Outcomes of attempts that sent something."""

log = structlog.get_logger()

Command = tuple[What, Callable[[], Awaitable[None]]]


class OpeningStopped(Exception):
    """The gateway opens no more supplies until a person lets it."""


class SupplySwitcher:
    """At most `concurrency` relays are worked on at a time, one attempt each.

    A quarter of that is kept free for each direction, so that ten thousand reconnections do not
    hold up a cut, nor the reverse. `pace` bounds how fast supplies return.
    """

    def __init__(
        self,
        context: Context,
        unit_of: Callable[[int], Unit | None],
        *,
        holder: UUID | None = None,
        concurrency: int,
        pace: Pace | None = None,
    ) -> None:
        """`holder` is the worker whose gateways' supplies are due here; None is all."""
        self._context, self._unit_of, self._holder = context, unit_of, holder
        self._most_alike = max(concurrency - concurrency // 4, 1)
        self._concurrency = concurrency
        self._pace = pace or Pace(per_place=6e6, in_all=6e6)
        self._busy: dict[int, tuple[DueSupply, asyncio.Task[None]]] = {}
        self._ready: list[DueSupply] = []
        self._fetch_at = 0.0

    async def run(self) -> None:
        """Attempt what is due until cancelled; an attempt under way is finished first."""
        try:
            while True:
                now = asyncio.get_running_loop().time()
                if not self._ready or now >= self._fetch_at:
                    self._ready = await self._due(now)
                    self._fetch_at = now + AFRESH_S
                self._ready = [supply for supply in self._ready if not self._begin(supply)]
                await asyncio.sleep(BACKLOG_S if self._ready else POLL_EVERY_S)
        finally:
            tasks = [task for _, task in self._busy.values()]
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _due(self, now: float) -> list[DueSupply]:
        """What is due, cuts and reconnections in turn."""
        limit, busy = self._concurrency * BATCHES, list(self._busy)
        cuts = await self._find(Wanted("off", limit, busy, holder=self._holder))
        returns: Sequence[DueSupply] = ()
        if not self._pace.is_full(now):
            full = self._pace.full(now)
            returns = await self._find(Wanted("on", limit, busy, full, self._holder))
        pairs = zip_longest(cuts, returns)
        return [supply for pair in pairs for supply in pair if supply is not None]

    async def _find(self, wanted: Wanted) -> Sequence[DueSupply]:
        async with self._context.database.connect() as conn:
            return await list_due(conn, self._context, wanted)

    async def until_idle(self, installation_ids: Collection[int]) -> None:
        """Return when no attempt on any of these is under way."""
        busy = [task for key, (_, task) in self._busy.items() if key in installation_ids]
        await asyncio.gather(*busy, return_exceptions=True)

    def _begin(self, supply: DueSupply) -> bool:
        """Whether there was room; what is not ours, or must not return yet, is left for later."""
        if supply.installation_id in self._busy:
            return True
        if not self._has_room(supply):
            return False
        unit = self._unit_of(supply.installation_id)
        now = asyncio.get_running_loop().time()
        returns = supply.desired.state == "on"
        if unit is None or (returns and not self._pace.take(supply.place, now)):
            return True
        task = asyncio.create_task(self._attempt_surely(supply, unit))
        self._busy[supply.installation_id] = (supply, task)
        task.add_done_callback(lambda _: self._busy.pop(supply.installation_id, None))
        return True

    def _has_room(self, supply: DueSupply) -> bool:
        alike = sum(s.desired.state == supply.desired.state for s, _ in self._busy.values())
        return len(self._busy) < self._concurrency and alike < self._most_alike

    async def _attempt_surely(self, supply: DueSupply, unit: Unit) -> None:
        try:
            outcome = await self.attempt(supply, unit)
        except Exception:
            log.exception("switching_failed", installation_id=supply.installation_id)
            outcome = "failed"
            with suppress(Exception):
                await in_transaction(
                    self._context, postpone, supply, self._context.switching.first_pause_s
                )
        if supply.desired.state == "on" and outcome not in PULSED:
            self._pace.give_back(supply.place)
        metrics.RELAY_ATTEMPTS.labels(outcome=outcome).inc()

    async def attempt(self, supply: DueSupply, unit: Unit) -> str:
        """One attempt; returns what came of it in a word."""
        relay = unit.profile.relay
        if relay is None:
            await in_transaction(self._context, report_no_relay, supply)
            return "no_relay"
        if supply.suspicion is not None:
            await in_transaction(self._context, report_suspect, supply)
            return "suspect"
        desired = _attainable(supply.desired, unit.profile)
        policy = self._context.switching
        try:
            seen = self._seen(await unit.read_supply())
        except Suspended as fault:
            pause = fault.until - asyncio.get_running_loop().time()
            await in_transaction(
                self._context, report_suspended, supply, max(pause, POLL_EVERY_S), fault.cause
            )
            return "unreachable"
        except NotConnected as fault:
            await in_transaction(
                self._context, report_suspended, supply, policy.first_pause_s, fault.cause
            )
            return "unreachable"
        except LinkFault:
            await in_transaction(self._context, postpone, supply, policy.first_pause_s)
            return "unreachable"
        before = judge(desired, seen.answer, policy, relay=relay, commanded=supply.commanded)
        return await self._work(supply, unit, desired, (seen, before))

    async def _work(
        self, supply: DueSupply, unit: Unit, desired: Desired, now: tuple[Seen, Finding]
    ) -> str:
        """What is to be done about a supply that was looked at."""
        seen, before = now
        relay = unit.profile.relay
        assert relay is not None
        evidence = [seen] if supply.has_open else []
        if before.in_place and not supply.renews:
            renewed = relay.renew_after_s
            await in_transaction(
                self._context, report_in_place, supply, before, evidence, renew_after_s=renewed
            )
            return "in_place"
        if before.awaits == "customer":
            await in_transaction(self._context, report_waiting, supply, before, evidence)
            return "awaits_customer"
        if not relay.is_commanded:
            why = "its relay is moved on the meter alone"
            await in_transaction(self._context, report_unswitchable, supply, before, why)
            return "unswitchable"
        if supply.moved or (
            supply.was_in_place and before.verified and before.state != desired.state
        ):
            restores = self._context.switching.restores(desired.state)
            is_left = relay.renew_after_s is None and not restores
            supply = await in_transaction(
                self._context, report_moved, supply, before, is_left=is_left
            )
            if is_left:
                return "left_as_found"
        if supply.has_open:
            revision = supply.desired.revision
            async with self._context.database.transaction() as conn:
                await close_commands(
                    conn, supply.installation_id, revision, "in_vain", [seen], now=seen.at
                )
        return await self._switch(supply, unit, desired, now)

    async def _switch(
        self, supply: DueSupply, unit: Unit, desired: Desired, now: tuple[Seen, Finding]
    ) -> str:
        """Send what is lacking, asking right before each command whether it still holds, and the
        meter who it is.
        """
        try:
            supply = await self._identified(supply, unit)
            return await self._switch_surely(supply, unit, desired, now)
        except OtherMeter as fault:
            return await self._leave_other_meter(supply, fault, now[1])
        except OpeningStopped:
            await in_transaction(self._context, report_stopped, supply)
            return "stopped"
        except LinkFault:
            await in_transaction(
                self._context, postpone, supply, self._context.switching.first_pause_s
            )
            return "unseen"

    async def _identified(self, supply: DueSupply, unit: Unit) -> DueSupply:
        """With the number that its meter tells, where it told none before."""
        if supply.serial is not None:
            return supply
        serial = await unit.serial_number(Priority.READ_BACK)
        if serial is not None and not await self._note_serial(supply, serial):
            raise OtherMeter(serial, supply.serial)
        return replace(supply, serial=serial)

    async def _note_serial(self, supply: DueSupply, serial: str) -> bool:
        """Keep the number that the meter told; whether it is the one believed."""
        return await in_transaction(
            self._context,
            note_serial,
            installation_id=supply.installation_id,
            account_id=supply.account_id,
            serial=serial,
        )

    async def _holds(self, supply: DueSupply) -> bool:
        """Whether its revision is the newest still."""
        async with self._context.database.connect() as conn:
            return await is_newest(conn, supply)

    def _seen(self, answer: MeterAnswer) -> Seen:
        """An answer that came just now."""
        return Seen(self._context.clock.now(), answer)

    async def _leave_other_meter(
        self, supply: DueSupply, fault: OtherMeter, before: Finding
    ) -> str:
        """Nothing was sent. Where a person has accepted that meter meanwhile, it is tried again."""
        if fault.serial is None:
            unknown = replace(before, in_place=False, detail="its serial number is not told")
            await in_transaction(self._context, report_failure, supply, unknown, [])
        elif await self._note_serial(supply, fault.serial):
            await in_transaction(self._context, postpone, supply, POLL_EVERY_S)
        else:
            await in_transaction(
                self._context, report_suspect, replace(supply, suspicion=str(fault))
            )
        return "suspect"

    async def _switch_surely(
        self, supply: DueSupply, unit: Unit, desired: Desired, now: tuple[Seen, Finding]
    ) -> str:
        seen, before = now
        relay = unit.profile.relay
        assert relay is not None
        answers: dict[What, str] = {}
        for what, send in self._commands(supply, unit, before, desired):
            opens = what == "relay" and desired.state == "off" and not supply.renews
            intention = Intention(supply.plain, what, desired, seen, opens=opens)
            begun = await in_transaction(self._context, begin_command, intention)
            if begun.is_stopped:
                raise OpeningStopped
            if begun.command_id is None:
                return "superseded"
            answers[what] = await self._send(begun.command_id, send)
        if not answers and not await self._holds(supply):
            return "superseded"
        flowed = desired.state == "off" and before.verified
        commanded = answers.get("relay") == ACKNOWLEDGED or supply.commanded or flowed
        found = await self._read_back(unit, desired, relay, commanded=commanded)
        return await self._conclude(supply, relay, answers, found)

    async def _send(self, command_id: UUID, command: Callable[[], Awaitable[None]]) -> str:
        """Send it once; ACKNOWLEDGED, or the cause why that is not known. It is never sent again
        before the meter was looked at. Raises OtherMeter where it was not sent.
        """
        try:
            await command()
            answer = ACKNOWLEDGED
        except OtherMeter as fault:
            await in_transaction(self._context, note_answer, command_id, fault.cause)
            raise
        except LinkFault as fault:
            answer = fault.cause
        await in_transaction(self._context, note_answer, command_id, answer)
        return answer

    async def _conclude(
        self,
        supply: DueSupply,
        relay: Relay,
        answers: dict[What, str],
        result: tuple[list[Seen], Finding],
    ) -> str:
        """Report what the read-back showed: it alone is evidence."""
        found, after = result
        causes = [answer for answer in answers.values() if answer != ACKNOWLEDGED]
        lost = f"not acknowledged ({causes[0]}), read back" if causes else ""
        log.info(
            "relay_switched",
            installation_id=supply.installation_id,
            desired=supply.desired.state,
            limit_w=supply.desired.limit_w,
            seen=after.state,
            verified=after.verified,
            lost=bool(lost),
        )
        if after.awaits == "customer":
            await in_transaction(self._context, report_waiting, supply, after, found)
            return "armed"
        if not after.in_place:
            await in_transaction(self._context, report_failure, supply, after, found)
            return "in_vain"
        done = replace(after, detail=lost or after.detail)
        await in_transaction(
            self._context, report_in_place, supply, done, found, renew_after_s=relay.renew_after_s
        )
        return "ghost_success" if lost else "switched"

    def _commands(
        self, supply: DueSupply, unit: Unit, before: Finding, desired: Desired
    ) -> list[Command]:
        commands: list[Command] = []
        if must_limit(desired, before) and unit.profile.load_limit is not None:
            commands.append(("load_limit", lambda: unit.limit(desired.limit_w, supply.serial)))
        if supply.renews or must_write(desired, before, supply.attempts, self._context.switching):
            commands.append(("relay", lambda: unit.switch(desired.state, supply.serial)))
        return commands

    async def _read_back(
        self, unit: Unit, desired: Desired, relay: Relay, *, commanded: bool
    ) -> tuple[list[Seen], Finding]:
        """What is seen after the relay had time to settle, looked at up to three times."""
        settle_s, found = _settle_ms(unit.profile) / 1000, []
        for left in reversed(range(READ_BACKS)):
            await asyncio.sleep(settle_s)
            try:
                seen = self._seen(await unit.read_supply())
            except LinkFault:
                if not left:
                    raise
                continue
            found.append(seen)
            policy = self._context.switching
            finding = judge(desired, seen.answer, policy, relay=relay, commanded=commanded)
            if finding.in_place or finding.awaits or not left:
                break
        return found, finding


def _attainable(desired: Desired, profile: Profile) -> Desired:
    return replace(desired, limit_w=profile.attainable(desired.limit_w))


def _settle_ms(profile: Profile) -> int:
    parts = (profile.relay, profile.load_limit)
    return max(part.settle_ms for part in parts if part is not None)
