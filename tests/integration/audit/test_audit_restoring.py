"""A database is really set back to a copy of before; the runbook is followed, and nobody waits.

The processes of a restored service are new ones: whatever they remembered is gone.
"""

import asyncio
import os
import sys
from datetime import timedelta

import pytest
from tests.integration.audit.audit_world import World
from tests.integration.audit.test_audit_rules import ALL, spoiled
from tests.support.tokens import TestIssuer

from npms_ledger.handlers.move_out import move_out
from npms_ledger.handlers.tell_again import facts_of as ledger_facts
from npms_meter_gateway.handlers.tell_again import facts as gateway_facts
from npms_operations.audit.rules import balances, charges, money_in, payments, registers, supplies
from npms_payments.handlers.tell_again import facts as payments_facts
from npms_shared.actor import Actor
from npms_shared.db.engine import Database
from npms_shared.db.restoring import skip_numbers
from npms_shared.messaging.telling import tell_again
from npms_tariff.handlers.tell_again import facts_of as tariff_facts
from npms_tools.stack.services import SERVICES

BY = Actor("test", ("operator",))


class Town(World):
    """`databases` and what an operator does to them."""

    async def restored(self, service: str) -> None:
        """The numbers skip what was given out, and its processes are new."""
        self.clock.advance(timedelta(minutes=30))
        owner = Database(self.databases[service].migration_url)
        async with owner.transaction() as conn:
            await skip_numbers(conn)
        await owner.close()
        self.__post_init__()

    async def ledger_says(self, issuer: TestIssuer, *words: str) -> str:
        """What an operator's command of the ledger prints."""
        database = self.databases["ledger"]
        settings = {
            "DATABASE_URL": database.url,
            "MIGRATION_DATABASE_URL": database.migration_url,
            "AMQP_URL": "amqp://nowhere.invalid/",
            "JWKS_PATH": str(issuer.jwks_path),
        }
        env = {f"NPMS_LEDGER_{name}": value for name, value in settings.items()}
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "npms_ledger.cli", *words),
            env=os.environ | env,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await command.communicate()
        assert command.returncode == 0, said
        return said.decode()

    async def tell(self, service: str, since=None) -> int:
        facts = {
            "ledger": ledger_facts(self.clock),
            "meter-gateway": gateway_facts,
            "payments": payments_facts,
            "tariff": tariff_facts(self.tariff),
        }[service]
        told = await tell_again(self.databases[service].database, facts, since=since)
        await self.settle()
        return told.total()

    async def rows(self, service: str, query: str) -> list[tuple]:
        async with self.databases[service].database.connect() as conn:
            return [tuple(row) for row in await conn.exec_driver_sql(query)]

    async def desired(self, service: str) -> dict[int, tuple]:
        """(state, revision) of every open installation, as a service knows it."""
        name = "desired_" if service == "meter-gateway" else ""
        found = await self.rows(
            service,
            f"SELECT installation_id, {name}state, {name}revision FROM supply "  # noqa: S608
            "JOIN installation i USING (installation_id) WHERE i.closed_at IS NULL",
        )
        return {row[0]: (str(row[1]), row[2]) for row in found}

    async def balances(self) -> dict[int, int]:
        found = await self.rows("ledger", "SELECT account_id, balance_micro FROM position")
        return {row[0]: row[1] for row in found}


@pytest.fixture
async def town(database_for):
    town = Town({service: await database_for(service) for service in SERVICES})
    await town.announce_profiles()
    await town.plan()
    for number in (1, 2, 3):
        account_id = await town.open(number)
        await town.pay(str(account_id), f"first-{number}", amount_micro=100_000_000)
    await town.read(timedelta(hours=2), 1000)
    return town


async def live_on(town: Town) -> None:
    """After the backup: 1 uses all it has, is cut, pays; 2 pays; 3 moves out; 4 comes."""
    await town.read(timedelta(hours=2), 5000)
    await town.pay("1", "later-1", amount_micro=400_000_000)
    await town.pay("2", "later-2", amount_micro=300_000_000)
    async with town.databases["ledger"].database.transaction() as conn:
        await move_out(conn, 3, registers_wh={}, reason="", by=BY, now=town.clock.now())
    town.registers.pop(3)
    await town.settle()
    await town.open(4)
    await town.read(timedelta(hours=1), 100)


async def assert_proven(town: Town, *rules) -> None:
    async with spoiled(town.databases, {}) as snapshots:
        for check in rules:
            result = await check(snapshots, ALL)
            assert result.findings == [], result.findings[:3]


async def test_a_gateway_that_is_set_back_learns_what_was_opened_closed_and_desired(
    town, databases
):
    gateway = town.databases["meter-gateway"]
    await databases.back_up(gateway)
    await live_on(town)
    wanted = await town.desired("ledger")
    assert await town.desired("meter-gateway") == wanted
    await databases.restore(gateway)
    await town.restored("meter-gateway")
    assert await town.desired("meter-gateway") != wanted
    await town.tell("ledger")
    assert await town.desired("meter-gateway") == wanted
    closed = "SELECT installation_id FROM installation WHERE closed_at IS NOT NULL"
    assert await town.rows("meter-gateway", closed) == [(3,)]
    again = await town.tell("ledger")
    assert again > 10, "and telling it once more changes nothing"
    assert await town.desired("meter-gateway") == wanted


async def test_a_ledger_that_is_set_back_with_tariff_has_its_money_and_is_obeyed(
    town, databases, issuer
):
    """A supply that is off at a revision which the ledger forgot goes on and off as it says."""
    ledger, tariff = town.databases["ledger"], town.databases["tariff"]
    at = town.clock.now()
    await databases.back_up(ledger)
    await databases.back_up(tariff)
    await town.read(timedelta(hours=2), 5000)
    await town.pay("2", "later-2", amount_micro=300_000_000)
    assert (await town.desired("meter-gateway"))[1] == ("off", 3)
    before = await town.balances()
    await databases.restore(ledger)
    await databases.restore(tariff)
    await town.restored("tariff")
    said = await town.ledger_says(issuer, "restored", "--reason", "a lost disk", "--by", "me")
    assert "skipped 100000 numbers" in said
    assert (await town.desired("ledger"))[1] == ("on", 100_002)
    for service in ("tariff", "payments", "meter-gateway"):
        await town.tell(service, since=at)
    assert await town.balances() == before
    assert (await town.desired("ledger"))[1] == ("off", 100_003), "it had used all it has"
    said = await town.ledger_says(issuer, "tell-again")
    assert "supply_desired.v1: 3" in said
    await town.settle()
    assert await town.desired("meter-gateway") == await town.desired("ledger")
    await town.pay("1", "later-1", amount_micro=400_000_000)
    assert (await town.desired("meter-gateway"))[1] == ("on", 100_004)
    opened = await town.open(5)
    assert opened > 100_000, "no number is given out twice"
    await town.read(timedelta(hours=1), 100)
    await assert_proven(
        town,
        registers.check_registers,
        charges.check_charges,
        balances.check_balances,
        payments.check_payments,
        money_in.check_money_in,
    )


async def test_a_tariff_that_is_set_back_alone_rates_again_and_nothing_is_charged_twice(
    town, databases
):
    at = town.clock.now()
    await databases.back_up(town.databases["tariff"])
    await live_on(town)
    before = await town.balances()
    await databases.restore(town.databases["tariff"])
    await town.restored("tariff")
    await town.tell("ledger")
    await town.tell("meter-gateway", since=at)
    assert await town.balances() == before
    await town.read(timedelta(hours=1), 100)
    await assert_proven(town, registers.check_registers)


async def test_a_meter_that_a_ledger_forgot_is_free_again_once_it_is_disowned(
    town, databases, issuer
):
    ledger = town.databases["ledger"]
    await databases.back_up(ledger)
    lost = await town.open(4)
    await databases.restore(ledger)
    await town.ledger_says(issuer, "restored", "--reason", "a lost disk", "--by", "me")
    await town.ledger_says(issuer, "disown", "4", str(lost))
    await town.settle()
    town.registers.clear()
    again = await town.open(4)
    (installation_id,) = town.registers
    assert min(again, installation_id) > 100_000
    open_ = "SELECT max(installation_id), count(*) FROM installation WHERE closed_at IS NULL"
    for service in ("ledger", "tariff", "meter-gateway"):
        assert await town.rows(service, open_) == [(installation_id, 4)]
    closed = "SELECT account_id FROM account WHERE closed_at IS NOT NULL"
    assert await town.rows("payments", closed) == [(lost,)]


async def test_all_that_is_told_again_to_whoever_knows_it_changes_nothing(town):
    await live_on(town)
    before = await town.balances(), await town.desired("ledger")
    for service in ("tariff", "payments", "ledger", "meter-gateway"):
        assert await town.tell(service, since=town.clock.now() - timedelta(days=1)) > 0
    assert (await town.balances(), await town.desired("ledger")) == before
    assert await town.desired("meter-gateway") == before[1]
    await assert_proven(town, registers.check_registers, supplies.check_supplies)


async def test_payments_that_are_set_back_serve_every_account_and_the_audit_names_what_they_forgot(
    town, databases
):
    restored = town.databases["payments"]
    await databases.back_up(restored)
    await town.pay("2", "later-2", amount_micro=300_000_000)
    opened = await town.open(4)
    before = await town.balances()
    await databases.restore(restored)
    await town.restored("payments")
    await town.tell("ledger")
    assert await town.balances() == before
    await town.pay(str(opened), "after", amount_micro=50_000_000)
    after = await town.balances()
    assert after[opened] > before[opened], (
        "an account that was opened after the backup is paid into"
    )
    assert {**after, opened: 0} == {**before, opened: 0}
    async with spoiled(town.databases, {}) as snapshots:
        result = await payments.check_payments(snapshots, ALL)
    assert len([one for one in result.findings if "payment " in str(one)]) == 1, "the forgotten one"
