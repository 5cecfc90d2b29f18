"""Works relays toward their desired states: read, ask again, write, read back, report."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reconciling import (
    Desired,
    Finding,
    judge,
    must_limit,
    must_write,
)
from npms_meter_gateway.drivers.errors import LinkFault
from npms_meter_gateway.handlers.switch_supply import DueSupply, SupplyBook
from npms_meter_gateway.polling.unit import Suspended, Unit

LOOK_EVERY_S = 0.2
READ_BACKS = 3

log = structlog.get_logger()


class Switchman:
    """At most `concurrency` relays are worked on at a time, one attempt each."""

    def __init__(
        self, book: SupplyBook, unit_of: Callable[[int], Unit | None], *, concurrency: int
    ) -> None:
        self._book, self._unit_of, self._concurrency = book, unit_of, concurrency
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Attempt what is due until cancelled; an attempt under way is finished first."""
        try:
            while True:
                for supply in await self._book.due(limit=self._concurrency * 2):
                    self._begin(supply)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def until_idle(self, installation_ids: Collection[int]) -> None:
        """Return when no attempt on any of these is under way."""
        busy = [task for key, task in self._busy.items() if key in installation_ids]
        await asyncio.gather(*busy, return_exceptions=True)

    def _begin(self, supply: DueSupply) -> None:
        if supply.installation_id in self._busy or len(self._busy) >= self._concurrency:
            return
        task = asyncio.create_task(self._attempt_surely(supply))
        self._busy[supply.installation_id] = task
        task.add_done_callback(lambda _: self._busy.pop(supply.installation_id, None))

    async def _attempt_surely(self, supply: DueSupply) -> None:
        unit = self._unit_of(supply.installation_id)
        if unit is None:
            return
        try:
            outcome = await self.attempt(supply, unit)
        except Exception:
            log.exception("switching_failed", installation_id=supply.installation_id)
            outcome = "failed"
        metrics.RELAY_ATTEMPTS.labels(outcome=outcome).inc()

    async def attempt(self, supply: DueSupply, unit: Unit) -> str:
        """One attempt; returns what came of it in a word."""
        if unit.profile.relay is None:
            await self._book.report_no_relay(supply)
            return "no_relay"
        desired = _attainable(supply.desired, unit.profile)
        try:
            before = judge(desired, await unit.look(), self._book.policy)
            if before.in_place:
                await self._book.report_in_place(supply, before, moved=False)
                return "in_place"
            return await self._switch(supply, unit, before, desired)
        except Suspended as fault:
            pause = fault.until - asyncio.get_running_loop().time()
            await self._book.postpone(supply, max(pause, LOOK_EVERY_S))
        except LinkFault:
            await self._book.postpone(supply, self._book.policy.first_pause_s)
        return "unreachable"

    async def _switch(
        self, supply: DueSupply, unit: Unit, before: Finding, desired: Desired
    ) -> str:
        """Send what is lacking, asking right before each command whether it still holds."""
        lost = ""
        for command in self._commands(supply, unit, before, desired):
            if await self._is_superseded(supply):
                return "superseded"
            try:
                await command()
            except LinkFault as fault:
                lost = f"not acknowledged ({fault.cause}), read back"
        after = await self._read_back(unit, desired)
        log.info(
            "relay_switched",
            installation_id=supply.installation_id,
            desired=desired.state,
            limit_w=desired.limit_w,
            seen=after.state,
            verified=after.verified,
            lost=bool(lost),
        )
        if not after.in_place:
            await self._book.report_failure(supply, after)
            return "in_vain"
        done = replace(after, detail=lost)
        await self._book.report_in_place(supply, done, moved=supply.was_in_place)
        return "ghost_success" if lost else "switched"

    def _commands(
        self, supply: DueSupply, unit: Unit, before: Finding, desired: Desired
    ) -> list[Callable[[], Awaitable[None]]]:
        commands: list[Callable[[], Awaitable[None]]] = []
        if must_limit(desired, before) and unit.profile.load_limit is not None:
            commands.append(lambda: unit.limit(desired.limit_w))
        if must_write(desired, before, supply.attempts, self._book.policy):
            commands.append(lambda: unit.switch(desired.state))
        return commands

    async def _is_superseded(self, supply: DueSupply) -> bool:
        return await self._book.desired(supply.installation_id) != supply.desired

    async def _read_back(self, unit: Unit, desired: Desired) -> Finding:
        """What is seen after the relay had time to settle, looked at up to three times."""
        settle_s = _settle_ms(unit.profile) / 1000
        for left in reversed(range(READ_BACKS)):
            await asyncio.sleep(settle_s)
            try:
                finding = judge(desired, await unit.look(), self._book.policy)
            except LinkFault:
                if not left:
                    raise
                continue
            if finding.in_place or not left:
                break
        return finding


def _attainable(desired: Desired, profile: Profile) -> Desired:
    return replace(desired, limit_w=profile.attainable(desired.limit_w))


def _settle_ms(profile: Profile) -> int:
    parts = (profile.relay, profile.load_limit)
    return max(part.settle_ms for part in parts if part is not None)
