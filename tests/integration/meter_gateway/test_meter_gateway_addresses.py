"""One address is one gateway with one line, however it is spelled."""

import pytest
from tests.integration.meter_gateway.gateway_world import World, scaled_clock
from tests.support.migrating import migrated_by_steps

from npms_shared.contracts.ledger import MeterConnection
from npms_shared.messaging.subscriptions import Unprocessable

PROFILE = "hiking_dds238_2_znsr"


@pytest.fixture
async def world(database_for):
    return World(await database_for("meter-gateway"), scaled_clock())


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
