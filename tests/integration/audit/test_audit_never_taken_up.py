"""An account that tariff or the gateway had to refuse, and that was closed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.integration.audit.audit_world import World
from tests.integration.audit.test_audit_rules import audit, broken

from npms_operations.audit.rules import registers
from npms_tools.stack.services import SERVICES


@contextmanager
def refusing(world: World, *services: str) -> Iterator[None]:
    """What these services would hear is parked, and dropped by an operator."""
    everybody = world.hearers
    world.hearers = {name: heard for name, heard in everybody.items() if name not in services}
    yield
    world.hearers = everybody


async def test_an_account_closed_without_ever_being_taken_up_does_not_break_the_audit_for_good(
    database_for,
):
    world = World({service: await database_for(service) for service in SERVICES})
    await world.announce_profiles()
    await world.plan()
    with refusing(world, "tariff", "meter-gateway"):
        by_nobody = await world.open(1)
    with refusing(world, "tariff"):
        unrated = await world.open(2)
    world.registers = {2: world.registers[2]}
    await world.read(timedelta(minutes=10), 500)
    found = await audit(world.databases, {})
    assert broken(found) >= {registers.RULE}, "who is open is missed"
    with refusing(world, "tariff", "meter-gateway"):
        await world.close(by_nobody)
        await world.close(unrated)
    found = await audit(world.databases, {})
    assert not broken(found), [result.findings for result in found.values()]
    assert found[registers.RULE].notes == [
        "closed without ever being taken up by every service: installations 1, 2"
    ]
    used = {"ledger": "UPDATE installation SET closing_register_wh = opening_register_wh + 9"}
    assert broken(await audit(world.databases, used)) == {registers.RULE}
