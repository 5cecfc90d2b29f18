"""Commands to a relay or a load limit: ask whether they still hold, write, read back, report."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import structlog

from npms_meter_gateway.domain.commands import What
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
from npms_meter_gateway.drivers.line.errors import LinkFault, OtherMeter
from npms_meter_gateway.handlers.command_log import (
    ACKNOWLEDGED,
    Intention,
    Seen,
    begin_command,
    note_answer,
)
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.switch_supply import (
    is_newest,
    report_failure,
    report_in_place,
    report_waiting,
)
from npms_meter_gateway.polling.transactions import in_transaction
from npms_meter_gateway.polling.unit import Unit

READ_BACKS = 3

log = structlog.get_logger()

Command = tuple[What, Callable[[], Awaitable[None]]]


class OpeningStopped(Exception):
    """The gateway opens no more supplies until a person lets it."""


class RelayWork:
    """The commands of one attempt. What is read back is the only evidence."""

    def __init__(
        self, context: Context, supply: DueSupply, unit: Unit, relay: Relay, desired: Desired
    ) -> None:
        self._context, self._supply, self._unit = context, supply, unit
        self._relay, self._desired = relay, desired

    async def run(self, seen: Seen, before: Finding) -> str:
        """What came of it in a word. Raises OtherMeter where another meter answers, OpeningStopped,
        and other LinkFaults where nothing can be read back.
        """
        supply, desired = self._supply, self._desired
        answers: dict[What, str] = {}
        for what, send in self._commands(before):
            command_id = await self._begin(what, seen)
            if command_id is None:
                return "superseded"
            answers[what] = await self._send(command_id, send)
        if not answers and not await self._holds():
            return "superseded"
        flowed = desired.state == "off" and before.verified
        commanded = answers.get("relay") == ACKNOWLEDGED or supply.commanded or flowed
        found, after = await self._read_back(commanded=commanded)
        return await self._conclude(answers, found, after)

    def _commands(self, before: Finding) -> list[Command]:
        supply, unit, desired = self._supply, self._unit, self._desired
        commands: list[Command] = []
        if must_limit(desired, before) and unit.profile.load_limit is not None:
            commands.append(("load_limit", lambda: unit.limit(desired.limit_w, supply.serial)))
        if supply.renews or must_write(desired, before, supply.attempts, self._context.switching):
            commands.append(("relay", lambda: unit.switch(desired.state, supply.serial)))
        return commands

    async def _begin(self, what: What, seen: Seen) -> UUID | None:
        """None where a newer revision came; raises OpeningStopped."""
        supply, desired = self._supply, self._desired
        opens = what == "relay" and desired.state == "off" and not supply.renews
        intention = Intention(supply.plain, what, desired, seen, opens=opens)
        begun = await in_transaction(self._context, begin_command, intention)
        if begun.is_stopped:
            raise OpeningStopped
        return begun.command_id

    async def _holds(self) -> bool:
        """Whether its revision is the newest still."""
        async with self._context.database.connect() as conn:
            return await is_newest(conn, self._supply)

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

    async def _read_back(self, *, commanded: bool) -> tuple[list[Seen], Finding]:
        """What is seen after the relay had time to settle, looked at up to three times."""
        settle_s, found = _settle_ms(self._unit.profile) / 1000, []
        context = self._context
        for left in reversed(range(READ_BACKS)):
            await asyncio.sleep(settle_s)
            try:
                seen = Seen(context.clock.now(), await self._unit.read_supply())
            except LinkFault:
                if not left:
                    raise
                continue
            found.append(seen)
            finding = judge(
                self._desired,
                seen.answer,
                context.switching,
                relay=self._relay,
                commanded=commanded,
            )
            if finding.in_place or finding.awaits or not left:
                break
        return found, finding

    async def _conclude(self, answers: dict[What, str], found: list[Seen], after: Finding) -> str:
        """Report what the read-back showed: it alone is evidence."""
        context, supply = self._context, self._supply
        causes = [answer for answer in answers.values() if answer != ACKNOWLEDGED]
        lost = f"not acknowledged ({causes[0]}), read back" if causes else ""
        _log_switched(supply, after, is_lost=bool(lost))
        if after.awaits == "customer":
            await in_transaction(context, report_waiting, supply, after, found)
            return "armed"
        if not after.in_place:
            await in_transaction(context, report_failure, supply, after, found)
            return "in_vain"
        done = replace(after, detail=lost or after.detail)
        renewed = self._relay.renew_after_s
        await in_transaction(context, report_in_place, supply, done, found, renew_after_s=renewed)
        return "ghost_success" if lost else "switched"


def _log_switched(supply: DueSupply, after: Finding, *, is_lost: bool) -> None:
    log.info(
        "relay_switched",
        installation_id=supply.installation_id,
        desired=supply.desired.state,
        limit_w=supply.desired.limit_w,
        seen=after.state,
        verified=after.verified,
        lost=is_lost,
    )


def _settle_ms(profile: Profile) -> int:
    parts = (profile.relay, profile.load_limit)
    return max(part.settle_ms for part in parts if part is not None)
