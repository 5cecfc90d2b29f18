"""One attempt to bring a supply to its desired state: read first, and send only what is lacking."""

import asyncio
from dataclasses import replace

import structlog

from npms_meter_gateway.domain.reconciling import (
    Finding,
    judge,
)
from npms_meter_gateway.domain.relay import Relay
from npms_meter_gateway.domain.supplies import DueSupply
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import LinkFault, NotConnected, OtherMeter
from npms_meter_gateway.handlers.command_log import (
    Seen,
    close_commands,
)
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.switch_supply import (
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
from npms_meter_gateway.polling.relay_work import OpeningStopped, RelayWork
from npms_meter_gateway.polling.transactions import in_transaction
from npms_meter_gateway.polling.unit import Suspended, Unit

POLL_EVERY_S = 0.2

log = structlog.get_logger()


async def attempt(context: Context, supply: DueSupply, unit: Unit) -> str:
    """One attempt to bring a supply to its desired state; what came of it in a word."""
    relay = unit.profile.relay
    if relay is None:
        await in_transaction(context, report_no_relay, supply)
        return "no_relay"
    if supply.suspicion is not None:
        await in_transaction(context, report_suspect, supply)
        return "suspect"
    return await SupplyAttempt(context, supply, unit, relay).run()


class SupplyAttempt:
    """An attempt on a meter that has a relay and is believed to be the one installed."""

    def __init__(self, context: Context, supply: DueSupply, unit: Unit, relay: Relay) -> None:
        self._context, self._supply, self._unit, self._relay = context, supply, unit, relay
        limit_w = unit.profile.attainable(supply.desired.limit_w)
        self._desired = replace(supply.desired, limit_w=limit_w)

    async def run(self) -> str:
        """What came of it in a word."""
        context, supply = self._context, self._supply
        pause_s = context.switching.first_pause_s
        try:
            seen = Seen(context.clock.now(), await self._unit.read_supply())
        except (Suspended, NotConnected) as fault:
            if isinstance(fault, Suspended):
                pause_s = max(fault.until - asyncio.get_running_loop().time(), POLL_EVERY_S)
            await in_transaction(context, report_suspended, supply, pause_s, fault.cause)
            return "unreachable"
        except LinkFault:
            await in_transaction(context, postpone, supply, pause_s)
            return "unreachable"
        commanded = supply.commanded
        before = judge(
            self._desired, seen.answer, context.switching, relay=self._relay, commanded=commanded
        )
        return await self._leave(seen, before) or await self._switch(seen, before)

    async def _leave(self, seen: Seen, before: Finding) -> str | None:
        """Why nothing is sent, reported; None where something is to be."""
        context, supply, relay = self._context, self._supply, self._relay
        evidence = [seen] if supply.has_open else []
        if before.in_place and not supply.renews:
            renewed = relay.renew_after_s
            await in_transaction(
                context, report_in_place, supply, before, evidence, renew_after_s=renewed
            )
            return "in_place"
        if before.awaits == "customer":
            await in_transaction(context, report_waiting, supply, before, evidence)
            return "awaits_customer"
        if not relay.is_commanded:
            why = "its relay is moved on the meter alone"
            await in_transaction(context, report_unswitchable, supply, before, why)
            return "unswitchable"
        if await self._is_left_as_found(before):
            return "left_as_found"
        return None

    async def _is_left_as_found(self, before: Finding) -> bool:
        """Whether somebody else moved it and the policy lets that be; reported where moved."""
        supply, desired = self._supply, self._desired
        has_moved = supply.was_in_place and before.verified and before.state != desired.state
        if not supply.moved and not has_moved:
            return False
        restores = self._context.switching.restores(desired.state)
        is_left = self._relay.renew_after_s is None and not restores
        self._supply = await in_transaction(
            self._context, report_moved, supply, before, is_left=is_left
        )
        return is_left

    async def _switch(self, seen: Seen, before: Finding) -> str:
        """Send what is lacking, asking right before each command whether it still holds, and the
        meter who it is.
        """
        context = self._context
        if self._supply.has_open:
            await self._close_open(seen)
        try:
            self._supply = await self._identified()
            work = RelayWork(context, self._supply, self._unit, self._relay, self._desired)
            return await work.run(seen, before)
        except OtherMeter as fault:
            return await self._leave_other_meter(fault, before)
        except OpeningStopped:
            await in_transaction(context, report_stopped, self._supply)
            return "stopped"
        except LinkFault:
            pause_s = context.switching.first_pause_s
            await in_transaction(context, postpone, self._supply, pause_s)
            return "unseen"

    async def _close_open(self, seen: Seen) -> None:
        """An earlier command for this revision has not brought it about."""
        supply = self._supply
        async with self._context.database.transaction() as conn:
            await close_commands(
                conn,
                supply.installation_id,
                supply.desired.revision,
                "in_vain",
                [seen],
                now=seen.at,
            )

    async def _identified(self) -> DueSupply:
        """With the number that its meter tells, where it told none before."""
        supply = self._supply
        if supply.serial is not None:
            return supply
        serial = await self._unit.serial_number(Priority.READ_BACK)
        if serial is not None and not await self._note_serial(serial):
            raise OtherMeter(serial, supply.serial)
        return replace(supply, serial=serial)

    async def _note_serial(self, serial: str) -> bool:
        """Keep the number that the meter told; whether it is the one believed."""
        return await in_transaction(
            self._context,
            note_serial,
            installation_id=self._supply.installation_id,
            account_id=self._supply.account_id,
            serial=serial,
        )

    async def _leave_other_meter(self, fault: OtherMeter, before: Finding) -> str:
        """Nothing was sent. Where a person has accepted that meter meanwhile, it is tried again."""
        context, supply = self._context, self._supply
        if fault.serial is None:
            unknown = replace(before, in_place=False, detail="its serial number is not told")
            await in_transaction(context, report_failure, supply, unknown, [])
        elif await self._note_serial(fault.serial):
            await in_transaction(context, postpone, supply, POLL_EVERY_S)
        else:
            suspected = replace(supply, suspicion=str(fault))
            await in_transaction(context, report_suspect, suspected)
        return "suspect"
