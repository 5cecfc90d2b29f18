"""From the charge that ends credit to the command on the meter's line, over a real broker."""

import asyncio
import time
from contextlib import asynccontextmanager

from tests.integration.ledger.house import M
from tests.support.gateway_world import World, operation
from tests.support.messages import message_of
from tests.support.relay_meter import RelayMeter, socket_of
from tests.support.switch_world import PATIENT
from tests.support.wait import until

from npms_meter_gateway.consumers import subscriptions
from npms_shared.clock import SystemClock
from npms_shared.contracts.meter_gateway import ProfilePublished
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Publisher
from npms_shared.messaging.topology import CHARGES
from npms_shared.messaging.worker import Worker

ROUNDS = 5
PROFILE = ProfilePublished(profile="test_plain", vendor="v", model="m", has_relay=True)


@asynccontextmanager
async def working(*workers):
    running = [asyncio.create_task(worker.run()) for worker in workers]

    async def connected():
        return all(worker.connected for worker in workers)

    try:
        await until(connected, within_s=60)
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)


def worker_of(service, database, amqp_url, heard, loops):
    return Worker(
        service=service,
        database=database,
        amqp_url=amqp_url,
        subscriptions=heard,
        loops=loops,
        partitions=2,
        partition_concurrency=2,
    )


async def test_l1_five_seconds_after_the_charge_the_command_is_on_the_wire(
    house, database_for, amqp_url
):
    world = World(await database_for("meter-gateway"), SystemClock())
    meter, outside = RelayMeter("plain"), Broker(amqp_url, name="outside")
    heard = subscriptions(world.context(partitions=2))
    polling = operation(world, units=PATIENT)
    ledger = house.service
    workers = (
        worker_of("ledger", house.database, amqp_url, ledger.subscriptions, ledger.loops),
        worker_of("meter-gateway", world.database, amqp_url, heard, [polling.run]),
    )
    await house.receive("ledger.catalogue", PROFILE)
    async with socket_of({1: meter}) as port, working(*workers):
        at = {"serial": "M1", "profile": "test_plain", "host": "127.0.0.1", "port": port}
        opened = await house.open(meter={**at, "unit_id": 1})
        publisher = Publisher(outside)
        took = [await _pay_and_cut(house, world, meter, opened, publisher) for _ in range(ROUNDS)]
        await outside.close()
    print(f"charge to wire: longest {max(took):.2f} s of {ROUNDS}")
    assert max(took) < 5


async def _pay_and_cut(house, world, meter, opened, publisher) -> float:
    """Seconds from the charge's message to the command at the meter."""
    await house.pay(opened["account_id"], 10 * M)

    async def settled_on():
        supply = await world.supply(opened["installation_id"])
        return supply.get("settled") and supply["desired_state"] == "on" and meter.closed

    await until(settled_on, within_s=60)
    pulses = len(meter.pulsed_at)
    batch = house.charges((opened, 11 * M if pulses == 0 else 10 * M))
    charged_at = time.monotonic()
    await publisher.publish([message_of(batch, exchange=CHARGES.exchange, key="1")])

    async def cut():
        return len(meter.pulsed_at) > pulses

    await until(cut, within_s=60, every_s=0.01)
    assert meter.pulses[-1] == "off"
    return meter.pulsed_at[-1] - charged_at
