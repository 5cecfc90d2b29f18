"""The network breaks while a relay is being switched."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, scaled_clock
from tests.support.proxy import Proxy
from tests.support.relay_meter import RelayMeter
from tests.support.switch_world import rig

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.modbus.line import modbus_bus

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
WRITES = {5, 16}


async def test_t7_a_reset_in_place_of_the_acknowledgement_is_read_back_and_nothing_is_repeated(
    database_for: MakeDatabase,
) -> None:
    world = World(await database_for("meter-gateway"), scaled_clock())
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        proxy = await Proxy("127.0.0.1", line.port).start()

        def reset_at_the_acknowledgement(answer: bytes) -> list[bytes | float]:
            if answer[7] not in WRITES:
                return [answer]
            proxy.manner = None
            proxy.reset()
            return []

        proxy.manner = reset_at_the_acknowledgement
        bus = modbus_bus(Gateway("127.0.0.1", proxy.port))
        await world.desire(1, "off")
        assert await replace(line, bus=bus).attempt("plain") == "ghost_success"
        (command,) = await line.commands()
        assert (command["answer"], command["life"]) == ("peer_closed", "confirmed")
        assert await line.told() == [("off", True, "")]
        assert proxy.manner is None, "the reset took place"
        await bus.close()
        await proxy.stop()
    assert meter.pulses == ["off"]
