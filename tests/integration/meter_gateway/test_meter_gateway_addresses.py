"""One address is one gateway with one line, however it is spelled."""

import asyncio
import socket

import pytest
from tests.support.gateway_world import (
    operating,
    operation,
)
from tests.support.migrating import migrated_by_steps
from tests.support.recording_gateway import RecordingGateway
from tests.support.wait import until

from npms_meter_gateway.consumers import subscriptions
from npms_meter_gateway.domain.allowed_addresses import AllowedAddresses, networks_of, ports_of
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.messaging.subscriptions import Unprocessable

PROFILE = "hiking_dds238_2_znsr"


def meter(number, host, unit_id=1, port=15020):
    return MeterConnection(
        serial=f"M{number}", profile=PROFILE, host=host, port=port, unit_id=unit_id
    )


async def test_two_spellings_of_an_address_are_one_gateway(world):
    for number, host in enumerate(("127.0.0.1", "localhost", "127.1", "::1"), 1):
        await world.open(number, meter=meter(number, host, number))
    assert await world.rows("SELECT host, port FROM gateway") == [
        {"host": "127.0.0.1", "port": 15020}
    ]
    await world.open(9, meter=meter(9, "2130706433", 2))
    waiting = await world.rows("SELECT installation_id FROM early_event WHERE kind = 'opened'")
    assert waiting == [{"installation_id": 9}]
    assert await world.events(2) == ["meter_in_use"]
    with pytest.raises(Unprocessable, match="no host"):
        await world.open(10, meter=meter(10, "a/b"))


async def test_gateways_of_before_that_are_one_become_one(nodes, world):
    async with migrated_by_steps(nodes, "meter-gateway") as (migrate, owner):
        await migrate("0017")
        await owner.execute(
            """
            INSERT INTO installation (installation_id, account_id, partition, serial, profile, host,
                                      port, unit_id, max_power_w, opening_register_wh, opened_at)
            VALUES (1, 1, 0, 'A', 'p', '127.0.0.1', 502, 1, 1, 0, now()),
                   (2, 2, 0, 'B', 'p', 'localhost', 502, 2, 1, 0, now()),
                   (3, 3, 0, 'C', 'p', '127.1', 502, 1, 1, 0, now()),
                   (4, 4, 0, 'D', 'p', 'GW.Example', 502, 1, 1, 0, now());
            INSERT INTO gateway (host, port, site, depth)
            VALUES ('127.0.0.1', 502, 'kept', 4), ('localhost', 502, 'gone', 1),
                   ('127.1', 502, 'left', 1), ('GW.Example', 502, 'renamed', 2)
            """
        )
        await migrate("0018")
        gateways = await owner.fetch("SELECT host, site, depth FROM gateway ORDER BY gateway_id")
        hosts = await owner.fetch("SELECT host FROM installation ORDER BY installation_id")
    assert [tuple(row) for row in gateways] == [
        ("127.0.0.1", "kept", 4),
        ("127.1", "left", 1),
        ("gw.example", "renamed", 2),
    ]
    assert [row["host"] for row in hosts] == ["127.0.0.1", "127.0.0.1", "127.1", "gw.example"]


PRODUCTION = AllowedAddresses(networks_of("10.0.0.0/8"), ports_of("502"), ("/dev/ttyUSB*",))


async def alarms(world, installation_id):
    rows = await world.rows(
        "SELECT kind, detail FROM alarm WHERE installation_id = :i AND cleared_at IS NULL",
        i=installation_id,
    )
    return {row["kind"]: row["detail"] for row in rows}


async def test_two_names_of_one_address_have_one_master(world, monkeypatch):
    """Which of them is right a person has to say; meanwhile one is read, and the other told of."""
    loop, looked_up = asyncio.get_running_loop(), asyncio.get_running_loop().getaddrinfo

    async def look_up(host, port, **more):
        if not host.endswith(".example"):
            return await looked_up(host, port, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    gateway = RecordingGateway()
    await gateway.start()
    await world.open(1, meter=meter(1, "a.example", 1, gateway.port))

    async def read(installation_id):
        return len(await world.registers(installation_id)) > 1

    async with operating(operation(world)), operating(operation(world)):
        await until(lambda: read(1))
        await world.open(2, meter=meter(2, "b.example", 1, gateway.port))

        async def told():
            return "a.example" in (await alarms(world, 2)).get("unreachable", "")

        await until(told)
        assert not await world.registers(2)
        assert gateway.open_now == 1
        await world.close(1)
        await until(lambda: read(2))
        assert await alarms(world, 2) == {}
    await gateway.stop()


async def test_an_address_that_is_not_allowed_is_told_of_when_it_is_opened_and_when_it_is_read(
    world, http
):
    gateway = RecordingGateway()
    await gateway.start()
    world.hear = subscriptions(world.context(allowed=PRODUCTION))[0]
    await world.open(1, meter=meter(1, "127.0.0.1", 1, gateway.port))
    assert await world.events(1) == ["address_refused"]
    async with operating(operation(world, allowed=PRODUCTION)):

        async def told():
            return (await alarms(world, 1)).get("unreachable")

        assert (await until(told)).startswith("not_allowed: ")
        answer = await http.post("/v1/meters/1/read", timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (409, "address_not_allowed")
        assert "none of those allowed" in answer.json()["detail"]
    assert gateway.connects == []
    await gateway.stop()


async def test_a_gateway_is_set_only_to_devices_that_are_allowed_and_who_did_is_kept(world, http):
    await world.open(1, meter=meter(1, "10.0.0.1", 1, 502))
    ((gateway,),) = [(await http.get("/v1/gateways")).json()["items"]]
    path = f"/v1/gateways/{gateway['gateway_id']}"
    for device, code in (
        ("socket://10.0.0.1:502", "invalid_request"),
        ("/etc/shadow", "invalid_request"),
        ("/dev/mem", "device_not_allowed"),
        ("/dev/ttyUSB/../mem", "device_not_allowed"),
    ):
        answer = await http.patch(path, json={"transport": "serial", "device": device})
        assert (answer.status_code, answer.json()["code"]) == (422, code), device
    assert (await http.get(f"{path}/changes")).json()["items"] == []
    for body in ({"transport": "serial", "device": "/dev/ttyUSB1"}, {"baud": 2400, "depth": 1}):
        assert (await http.patch(path, json=body)).status_code == 200
    newest, first = (await http.get(f"{path}/changes")).json()["items"]
    assert (newest["before"], newest["after"]) == ({"baud": 9600}, {"baud": 2400})
    assert first["after"] == {"transport": "serial", "device": "/dev/ttyUSB1"}
    assert first["before"] == {"transport": "modbus_tcp", "device": ""}
    assert first["by_subject"]
    assert (await http.get("/v1/gateways/999/changes")).status_code == 404
    assert (await http.patch("/v1/gateways/999", json={"baud": 2400})).status_code == 404
