"""Listens to an MQTT broker; a message is acknowledged after what it says has committed."""

import asyncio
import random
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiomqtt import Client, MqttError
from aiomqtt import Message as Delivery

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.broker import Broker
from npms_meter_gateway.handlers.listen_alone import ASK_EVERY_S, Turn, turn
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_messages import (
    Message,
    Unreadable,
    park_messages,
    take_messages,
)
from npms_meter_gateway.intake.payload import read_message
from npms_shared.db.engine import is_passing
from npms_shared.loops import wait_or_stop

BATCH = 1000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
DATABASE_PAUSE_S = 0.5

log = structlog.get_logger()


class AckingClient(Client):
    """An aiomqtt client whose messages are acknowledged by us, not as soon as they arrive."""

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **settings)
        self._client.manual_ack_set(True)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """To be called on the connection that the messages came by."""
        for delivery in deliveries:
            self._client.ack(delivery.mid, delivery.qos)


@dataclass(frozen=True, slots=True)
class MqttIntake:
    """One session that the broker keeps while we are away, so one process at a time has it."""

    recorder: ReadingRecorder
    broker: Broker
    password: str
    client_id: str
    prefix: str

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until told to stop; what was not acknowledged by then comes again."""
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            began = loop.time()
            try:
                async with turn(self.recorder.context.database) as held:
                    await self._stand_by(held, stopping)
                    if not stopping.is_set():
                        await self._listen_until(stopping, held)
            except Exception as fault:  # noqa: BLE001 - told of, and tried again
                tell = log.warning if _is_expected(fault) else log.exception
                tell("mqtt_broken", host=self.broker.host, fault=repr(fault))
            finally:
                metrics.MQTT_CONNECTED.set(0)
            if loop.time() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            await wait_or_stop(stopping, pause_s * (1 + random.random()))  # noqa: S311
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _stand_by(self, held: Turn, stopping: asyncio.Event) -> None:
        while not await held.take():
            if await wait_or_stop(stopping, ASK_EVERY_S):
                return

    async def _listen_until(self, stopping: asyncio.Event, held: Turn) -> None:
        works = (stopping.wait(), held.hold(), self._listen())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        async with self._client() as client:
            await client.subscribe([(topic, 1) for topic in self._topics()])
            metrics.MQTT_CONNECTED.set(1)
            log.info("mqtt_listens", host=self.broker.host, topics=self._topics())
            while True:
                deliveries = await _there(client)
                for portion in _portions([(d, self._read(d)) for d in deliveries]):
                    await self._take_surely([message for _, message in portion])
                    client.acknowledge(delivery for delivery, _ in portion)

    def _client(self) -> AckingClient:
        return AckingClient(
            self.broker.host,
            self.broker.port,
            username=self.broker.user,
            password=self.password or None,
            identifier=self.client_id,
            clean_session=False,
            tls_context=ssl.create_default_context() if self.broker.tls else None,
        )

    def _topics(self) -> tuple[str, str]:
        return f"{self.prefix}/meters/+/readings", f"{self.prefix}/readings"

    def _read(self, delivery: Delivery) -> Message:
        body = delivery.payload
        assert isinstance(body, bytes | bytearray)
        return read_message(self.prefix, delivery.topic.value, bytes(body))

    async def _take_surely(self, messages: Sequence[Message]) -> None:
        """While the database is away they wait here, and the next ones at the broker."""
        while True:
            try:
                parked = await take_messages(self.recorder, messages)
            except Exception as fault:  # noqa: BLE001 - found and kept aside
                if not is_passing(fault):
                    await self._find_the_bad_message(messages, fault)
                    return
                log.warning("database_away", fault=repr(fault))
                await asyncio.sleep(DATABASE_PAUSE_S)
            else:
                _count(len(messages), parked)
                return

    async def _find_the_bad_message(self, messages: Sequence[Message], fault: Exception) -> None:
        """A message that cannot be applied by a fault of ours stops none of the others."""
        if len(messages) > 1:
            for message in messages:
                await self._take_surely([message])
            return
        log.error("mqtt_message_failed", topic=messages[0].topic, exc_info=fault)
        context = self.recorder.context
        async with context.database.transaction() as conn:
            failed = Unreadable("failed", repr(fault))
            await park_messages(conn, context, [(messages[0], failed)])
        _count(1, 1)


async def _there(client: AckingClient) -> list[Delivery]:
    """What has come, waiting for no more than one."""
    there = [await anext(client.messages)]
    while len(client.messages) and len(there) < BATCH:
        there.append(await anext(client.messages))
    return there


Read = tuple[Delivery, Message]


def _portions(read: Sequence[Read]) -> Iterator[list[Read]]:
    """Whole messages, of about a thousand readings together."""
    portion: list[Read] = []
    count = 0
    for delivery, message in read:
        says = message.says
        count += 1 if isinstance(says, Unreadable) else len(says)
        portion.append((delivery, message))
        if count >= BATCH:
            yield portion
            portion, count = [], 0
    if portion:
        yield portion


def _count(messages: int, parked: int) -> None:
    metrics.MQTT_MESSAGES.labels(outcome="taken").inc(messages - parked)
    metrics.MQTT_MESSAGES.labels(outcome="parked").inc(parked)


def _is_expected(fault: Exception) -> bool:
    return isinstance(fault, MqttError) or is_passing(fault)
