"""Meters with relays of every idiom on a real socket, and the loop that works them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.support.gateway_world import PROFILES, World
from tests.support.relay_meter import IDIOMS, RelayMeter, profile_file, socket_of

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.supplies import DueSupply
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.switch_supply import Wanted, list_due
from npms_meter_gateway.polling.supply_attempt import attempt
from npms_meter_gateway.polling.unit import Unit
from npms_meter_gateway.profiles.loading import parse_profile
from npms_shared.contracts.ledger import MeterConnection

PROFILES.update(
    {f"test_{idiom}": parse_profile(profile_file(idiom), name=idiom) for idiom in IDIOMS}
)
QUICK = SwitchingPolicy(first_pause_s=0.0, longest_pause_s=0.0, armed_look_s=0.0, moved="restore")
PATIENT = BreakerPolicy(trip_after=1000)
"""Units that are never left alone."""


class Interrupted(Unit):
    """While it reads its meter, something happens."""

    meanwhile: Callable[[], Awaitable[object]]

    async def read_supply(self) -> MeterAnswer:
        answer = await super().read_supply()
        await self.meanwhile()
        return answer


@dataclass(slots=True)
class Rig:
    """Attempts by hand: installation n is unit n."""

    world: World
    bus: Bus
    port: int
    policy: SwitchingPolicy
    breaker: BreakerPolicy = PATIENT

    def context(self) -> Context:
        return self.world.context(switching=self.policy)

    async def open(self, installation_id: int, idiom: str, serial: str = "") -> None:
        await self.world.open(
            installation_id,
            meter=MeterConnection(
                serial=serial or f"R{installation_id}",
                profile=f"test_{idiom}",
                host="127.0.0.1",
                port=self.port,
                unit_id=installation_id,
            ),
        )

    def unit(self, installation_id: int, idiom: str) -> Unit:
        profile = PROFILES[f"test_{idiom}"]
        return Unit(ModbusDriver(self.bus, installation_id, profile), profile, self.breaker)

    async def due(self, installation_id: int = 1) -> DueSupply | None:
        found = [
            supply
            for state in ("off", "on")
            for supply in await self.world.do(list_due, Wanted(state, limit=100))
        ]
        return next((s for s in found if s.installation_id == installation_id), None)

    async def attempt(self, idiom: str, installation_id: int = 1, unit: Unit | None = None) -> str:
        """One attempt as a process just started would make it; "settled" if none is due."""
        supply = await self.due(installation_id)
        if supply is None:
            return "settled"
        unit = unit or self.unit(installation_id, idiom)
        return await attempt(self.context(), supply, unit)

    async def commands(self, installation_id: int = 1) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT * FROM supply_command WHERE installation_id = :i ORDER BY command_id",
            i=installation_id,
        )

    async def lives(self, installation_id: int = 1) -> list[tuple[str, str]]:
        return [(c["state"], c["life"]) for c in await self.commands(installation_id)]

    async def blocked(self, installation_id: int = 1) -> list[tuple[str, str]]:
        """(state, blocked_by) of what the ledger was told."""
        return [
            (body["state"], body["blocked_by"])
            for body in await self.world.said("supply_reported.v1")
            if body["installation_id"] == installation_id
        ]

    async def told(self, installation_id: int = 1) -> list[tuple[str, bool, str]]:
        """(state, verified, awaits) of what the ledger was told."""
        return [
            (body["state"], body["verified"], body["awaits"])
            for body in await self.world.said("supply_reported.v1")
            if body["installation_id"] == installation_id
        ]

    def with_policy(self, **changes: Any) -> "Rig":
        return replace(self, policy=replace(self.policy, **changes))


@asynccontextmanager
async def rig(
    world: World, meters: dict[int, RelayMeter], policy: SwitchingPolicy = QUICK
) -> AsyncIterator[Rig]:
    """Opens an installation for each meter."""
    async with socket_of(meters) as port:
        bus = modbus_bus(Gateway("127.0.0.1", port))
        built = Rig(world, bus, port, policy)
        for installation_id, meter in meters.items():
            await built.open(installation_id, meter.idiom)
        try:
            yield built
        finally:
            await bus.close()
