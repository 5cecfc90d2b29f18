"""Meters that report over MQTT, through a real broker that is killed, and a database that waits."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiomqtt import Client
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_meter_gateway import metrics
from npms_meter_gateway.bootstrap import build
from npms_meter_gateway.domain.broker import broker_of
from npms_meter_gateway.handlers import take_messages, take_readings
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.intake.mqtt import MqttIntake
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.clock import SystemClock, wall_now
from npms_shared.ids import new_id
from npms_shared.settings import SettingsError, read_settings
from npms_tools.stack.mosquitto import MosquittoNode

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


class Site:
    """A gateway's world with a broker; each has topics and a session of its own."""

    def __init__(self, world: World, node: MosquittoNode) -> None:
        self.world, self.node = world, node
        self.prefix = f"test/{new_id()}"
        self.start = world.clock.now() - timedelta(hours=2)

    def intake(self) -> MqttIntake:
        return MqttIntake(
            recorder=self.world.recorder(),
            broker=broker_of(self.node.url),
            password=self.node.password,
            client_id=self.prefix,
            prefix=self.prefix,
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        task = asyncio.create_task(self.intake().run(stopping))
        await self.listens()
        try:
            yield
        finally:
            stopping.set()
            await task

    async def listens(self) -> None:
        async def connected() -> bool:
            return metrics.MQTT_CONNECTED._value.get() == 1

        await until(connected, what="a connection to the broker")

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Client]:
        async with Client(
            "127.0.0.1", self.node.port, username="npms", password=self.node.password
        ) as client:
            yield client

    def reading(self, minute: float, wh: int, **more: Any) -> dict[str, Any]:
        at = self.start + timedelta(minutes=minute)
        return {"taken_at": at.isoformat(), "register_wh": wh, **more}

    async def send(self, body: Any, serial: str = "PUSHED1", topic: str = "") -> None:
        """One message, until the broker has it."""
        raw = body if isinstance(body, bytes) else json.dumps(body)
        async with self.sender() as client:
            place = topic or f"meters/{serial}/readings"
            await client.publish(f"{self.prefix}/{place}", raw, qos=1)

    async def send_many(self, minutes: range, serial: str = "PUSHED1") -> None:
        async with self.sender() as client:
            for minute in minutes:
                raw = json.dumps(self.reading(minute / 10, 1_000_000 + minute))
                await client.publish(f"{self.prefix}/meters/{serial}/readings", raw, qos=1)

    async def has(self, registers: list[int], installation_id: int = 1) -> None:
        async def stored() -> bool:
            return await self.world.registers(installation_id) == registers

        await until(stored, what=f"{len(registers)} readings")

    async def told(self) -> list[int]:
        """Every register told so far."""
        return await self.world.told_registers()

    async def parked(self) -> list[tuple[str, str]]:
        rows = await self.world.rows(
            "SELECT code, reason FROM parked_message WHERE state = 'parked' ORDER BY id"
        )
        return [(row["code"], row["reason"]) for row in rows]


@asynccontextmanager
async def database_holding(world: World) -> AsyncIterator[None]:
    """Nothing can be stored meanwhile: every partition's cursor is held by us."""
    async with world.database.transaction() as conn:
        await conn.execute(text("SELECT FROM reading_cursor FOR UPDATE"))
        yield


async def waits_for_lock(world: World) -> bool:
    """Whether a writer has taken messages and stands before the cursors that we hold."""
    rows = await world.rows(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database() AND query LIKE '%reading_cursor%'"
    )
    return bool(rows)


@pytest.fixture
async def site(database_for: MakeDatabase, mosquitto: MosquittoNode) -> Site:
    world = World(await database_for("meter-gateway"), SystemClock())
    site = Site(world, mosquitto)
    for number in (1, 2, 3):
        await world.open(number, opened_at=site.start)
    return site


async def test_readings_of_every_form_are_stored_and_told_once(site: Site) -> None:
    async with site.listening():
        await site.send(site.reading(10, 1_000_100, power_w=420, voltage_v=230.5, relay="on"))
        await site.send([site.reading(10, 1_000_100), site.reading(20, 1_000_200)], "PUSHED2")
        many = [site.reading(10, 1_000_300, serial="PUSHED3"), site.reading(30, 1_000_300)]
        many[1]["serial"] = "PUSHED1"
        await site.send(many, topic="readings")
        await site.has([1_000_100, 1_000_300])
        await site.has([1_000_100, 1_000_200], 2)
        await site.has([1_000_300], 3)
        await site.send(site.reading(10, 1_000_100))
        await site.send(site.reading(40, 1_000_400))
        await site.has([1_000_100, 1_000_300, 1_000_400])
    assert await site.told() == [1_000_100, 1_000_100, 1_000_200, 1_000_300, 1_000_300, 1_000_400]
    [seen] = await site.world.rows("SELECT * FROM meter_state")
    assert (seen["power_w"], seen["voltage_mv"], seen["relay"]) == (420, 230_500, "on")
    assert await site.parked() == []


async def test_what_cannot_be_taken_is_parked_with_its_reason_and_stops_nothing(
    site: Site,
) -> None:
    async with site.listening():
        for _ in range(2):
            await site.send(b"{not json")
        await site.send({"taken_at": "yesterday", "register_wh": 1})
        await site.send(b"\xff\0", serial="PUSHED2")
        mixed = [site.reading(10, 1_000_100, serial=s) for s in ("NOBODYS", "PUSHED1")]
        await site.send(mixed, topic="readings")
        await site.send(site.reading(20, 900_000))
        await site.send(site.reading(30, 1_000_200))
        await site.has([1_000_100, 1_000_200])

        async def all_parked() -> bool:
            return len(await site.parked()) == 4

        await until(all_parked)
    assert [code for code, _ in await site.parked()] == ["malformed"] * 3 + ["unknown_serial"]
    assert (await site.parked())[1][1].startswith("taken_at: ")
    [held] = await site.world.rows("SELECT reason, source FROM held_reading")
    assert held == {"reason": "backwards", "source": "mqtt"}


async def test_a_parked_message_is_taken_when_its_meter_is_there(
    site: Site, issuer: TestIssuer
) -> None:
    async with site.listening():
        await site.send(site.reading(10, 1_000_100), serial="PUSHED4")

        async def parked() -> bool:
            return len(await site.parked()) == 1

        await until(parked)
    service = build(
        MeterGatewaySettings(
            database_url=site.world.store.url,
            amqp_url="amqp://x/y",
            jwks_path=issuer.jwks_path,
            mqtt_topic_prefix=site.prefix,
        )  # type: ignore[arg-type]
    )
    headers = issuer.headers("operator")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service.app), base_url="http://gateway", headers=headers
    ) as http:
        [one] = (await http.get("/v1/parked-messages")).json()["items"]
        replay = f"/v1/parked-messages/{UUID(one['id'])}/replay"
        body = {"reason": "It is opened by now."}
        early = await http.post(replay, json=body)
        assert (early.status_code, early.json()["code"]) == (422, "unknown_serial")
        await site.world.open(4, opened_at=site.start)
        assert (await http.post(replay, json=body)).status_code == 202
        assert (await http.post(replay, json=body)).status_code == 409
    await service.database.close()
    assert await site.world.registers(4) == [1_000_100]
    assert await site.parked() == []


async def test_what_was_sent_while_nobody_listened_waits_at_the_broker(site: Site) -> None:
    async with site.listening():
        await site.send_many(range(1, 3))
        await site.has([1_000_001, 1_000_002])
    await site.send_many(range(3, 60))
    site.node.stop()
    site.node.start()
    async with site.listening():
        await site.has([1_000_000 + n for n in range(1, 60)])
    assert await site.told() == [1_000_000 + n for n in range(1, 60)]


async def test_a_process_that_dies_before_it_commits_loses_nothing(site: Site) -> None:
    async with site.listening():
        pass
    task = asyncio.create_task(site.intake().run(asyncio.Event()))
    await site.listens()
    async with database_holding(site.world):
        await site.send_many(range(1, 40))
        await until(lambda: waits_for_lock(site.world))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await site.world.registers(1) == []
    async with site.listening():
        await site.has([1_000_000 + n for n in range(1, 40)])
    assert await site.told() == [1_000_000 + n for n in range(1, 40)]


async def test_a_broker_that_is_killed_loses_and_doubles_nothing(site: Site) -> None:
    """Killed when it has delivered and not been acknowledged; it must deliver again."""
    async with site.listening():
        async with database_holding(site.world):
            await site.send_many(range(1, 60))
            await until(lambda: waits_for_lock(site.world))
            await written_down(site)
            site.node.kill()
        site.node.start()
        await site.send_many(range(60, 120))
        await site.has([1_000_000 + n for n in range(1, 120)])
    assert await site.told() == [1_000_000 + n for n in range(1, 120)]
    assert await site.parked() == []


async def written_down(site: Site) -> None:
    """Wait until the broker's file holds what it has promised so far."""
    began, file = wall_now().timestamp(), site.node.folder / "mosquitto.db"
    async with site.sender() as client:
        await client.publish(f"{site.prefix}/kept", b"", qos=1, retain=True)
        await client.publish(f"{site.prefix}/kept", b"a change", qos=1, retain=True)

    async def saved() -> bool:
        return (await asyncio.to_thread(file.stat)).st_mtime > began

    await until(saved, what="the broker's file")


async def test_one_process_listens_and_another_takes_over(site: Site) -> None:
    async with site.listening():
        stopping = asyncio.Event()
        second = asyncio.create_task(site.intake().run(stopping))
        await site.send_many(range(1, 20))
        await site.has([1_000_000 + n for n in range(1, 20)])
        assert not second.done()
    await site.send_many(range(20, 40))
    await site.has([1_000_000 + n for n in range(1, 40)])
    stopping.set()
    await second
    assert await site.told() == [1_000_000 + n for n in range(1, 40)]


async def test_a_message_that_fails_by_our_fault_is_parked_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = take_readings.take_readings

    async def stumbling(recorder: ReadingRecorder, sent: Any, **options: Any) -> Any:
        if any(reading.register_wh == 1_000_013 for reading in sent):
            raise RuntimeError("a fault of ours")
        return await take(recorder, sent, **options)

    monkeypatch.setattr(take_messages, "take_readings", stumbling)
    async with site.listening():
        await site.send_many(range(10, 20))
        await site.has([1_000_000 + n for n in range(10, 20) if n != 13])
    assert await site.parked() == [("failed", "RuntimeError('a fault of ours')")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("mqtt_url", "http://x"), ("mqtt_url", "mqtt://u:p@x"), ("mqtt_topic_prefix", "a/#")],
)
def test_a_wrong_broker_stops_the_start(issuer: TestIssuer, name: str, value: str) -> None:
    good = {
        "database_url": "postgresql://x/y",
        "amqp_url": "amqp://x/y",
        "jwks_path": issuer.jwks_path,
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(MeterGatewaySettings, **{**good, name: value})
    assert caught.value.problems[0].startswith(f"NPMS_METER_GATEWAY_{name.upper()}: ")
