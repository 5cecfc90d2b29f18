"""The audit passes on a consistent history, and finds each planted fault, and only that."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from tests.integration.audit.audit_world import Databases
from tests.integration.audit.planted_faults import FAULTS, Fault
from tests.support.nodes import Nodes
from tests.support.wait import until
from typer.testing import CliRunner

from npms_operations.audit.drained import look, wait_until_drained
from npms_operations.audit.findings import Finding, Result
from npms_operations.audit.places import Broker, Places
from npms_operations.audit.proof import Options, prove
from npms_operations.audit.rules import (
    CHECKS,
    adjustments,
    charges,
    debts_and_grants,
    money_in,
    payments,
    readings,
    registers,
    supplies,
)
from npms_operations.audit.snapshots import Snapshot, Snapshots, connect
from npms_operations.errors import CommandError
from npms_tools.cli import command_line
from npms_tools.stack.services import SERVICES, variable_of

ALL = Options(sample=0)


@asynccontextmanager
async def spoiled(databases: Databases, faults: dict[str, str]) -> AsyncIterator[Snapshots]:
    """What a snapshot would show after these statements, by service; nothing of it stays.

    They are the owner's, who may do what the application may not.
    """
    async with AsyncExitStack() as stack:
        taken = {}
        for service, database in databases.items():
            owner = await connect(database.migration_url)
            stack.push_async_callback(owner.close)
            transaction = owner.transaction()
            await transaction.start()
            stack.push_async_callback(transaction.rollback)
            for statement in faults.get(service, "SELECT 1").split(";\n"):
                assert not (await owner.execute(statement)).endswith(" 0"), statement
            taken[service] = Snapshot(owner)
        yield Snapshots(taken)


async def audit(databases: Databases, faults: dict[str, str]) -> dict[str, Result]:
    async with spoiled(databases, faults) as snapshots:
        results = [await check(snapshots, ALL) for check in CHECKS]
    return {result.rule: result for result in results}


def broken(found: dict[str, Result]) -> set[str]:
    return {rule for rule, result in found.items() if not result.holds}


async def test_a_consistent_history_passes(filled: Databases):
    found = await audit(filled, {})
    assert not broken(found), [result.findings for result in found.values()]
    assert found[registers.RULE].checked["charges"] >= 36
    assert found[readings.RULE].checked["readings"] == 36
    assert found[charges.RULE].checked["readings"] == 36 + 2, "closing registers are rated too"
    assert found[payments.RULE].checked == {
        "settled payments": 5,
        "reversed": 1,
        "clearing accounts": 3,
    }
    assert found[adjustments.RULE].checked["adjustments"] >= 12
    assert found[debts_and_grants.RULE].checked["debts"] >= 2
    assert found[debts_and_grants.RULE].checked["granted credits"] == 1
    assert found[debts_and_grants.RULE].checked["top-up charges"] >= 3
    assert found[money_in.RULE].checked["vouchers used"] == 2
    assert found[supplies.RULE].notes == []


@pytest.mark.parametrize("planted", FAULTS, ids=lambda planted: planted.name)
async def test_a_planted_fault_is_found(planted: Fault, filled: Databases):
    found = await audit(filled, {planted.service: planted.statements})
    assert broken(found) == planted.breaks()
    subjects = [finding.subject for finding in found[planted.rule].findings]
    assert any(subject.startswith(planted.subject) for subject in subjects), subjects


NEVER_RATED = """
INSERT INTO reading (installation_id, taken_at, register_wh)
SELECT 1, max(taken_at) + interval '1 hour', max(register_wh) + 5
FROM reading WHERE installation_id = 1
"""
PARKED = """
INSERT INTO parked_reading (installation_id, account_id, taken_at_s, register_wh, reason, parked_at)
SELECT 1, 1, read_at_s + 3600, register_wh + 5, 'no_plan', now()
FROM rating_state WHERE installation_id = 1
"""


async def test_a_lost_reading_breaks_what_it_must_and_parking_explains_it(filled: Databases):
    found = await audit(filled, {"meter-gateway": NEVER_RATED})
    assert broken(found) == {readings.RULE, registers.RULE}
    found = await audit(filled, {"meter-gateway": NEVER_RATED, "tariff": PARKED})
    assert not broken(found)
    assert found[readings.RULE].checked["parked"] == 1
    assert found[readings.RULE].notes == ["readings parked by tariff: 1 late, 1 no_plan"]


HOURS_DROPPED = """
SELECT FROM usage_hour WHERE hour_s < extract(epoch FROM DATE '2026-04-01');
SELECT usage_hour_drop('2026-04-01');
SELECT FROM usage_kept WHERE hours_from_s = extract(epoch FROM DATE '2026-04-01');
SELECT FROM usage_hour WHERE hour_s >= (SELECT hours_from_s FROM usage_kept)
"""


async def test_days_stand_for_hours_that_were_dropped(filled: Databases):
    found = await audit(filled, {"tariff": HOURS_DROPPED})
    assert not broken(found), found[registers.RULE].findings
    spoil = "UPDATE usage_day SET energy_wh = energy_wh + 1 WHERE installation_id = 2"
    found = await audit(filled, {"tariff": f"{HOURS_DROPPED.strip()};\n{spoil}"})
    assert broken(found) == {registers.RULE}


LATE = "UPDATE plan_version SET activated_at = valid_from + interval '9 hours' WHERE version = 2"


async def test_what_a_backdated_version_leaves_open_is_said(filled: Databases):
    found = await audit(filled, {"tariff": LATE})
    assert not broken(found)
    assert len(found[charges.RULE].notes) == 4


async def test_what_passes_by_itself_is_not_said(places: Places):
    looks = 0

    async def check(_: Snapshots, __: Options) -> Result:
        nonlocal looks
        looks += 1
        result = Result("a rule")
        result.broken("always", "is so")
        result.broken(f"seen in look {looks}", "passes")
        return result

    options = Options(drain_seconds=0, look_again_s=(0, 0))
    result, drained = await prove(places, options, checks=[check], progress=silent)
    assert looks == 3
    assert [finding.subject for finding in result.findings] == ["always"]
    assert drained.checked["outboxes"] == 5


def silent(_line: str) -> None:
    pass


NOT_SENT = """
INSERT INTO outbox (message_id, exchange, routing_key, type, source, subject, time, body)
VALUES (gen_random_uuid(), 'x', 'x', 'x', 'x', 'x', now(), '')
"""


async def test_an_event_that_was_not_sent_is_waited_for_and_named(
    filled: Databases, places: Places
):
    lines: list[str] = []
    async with filled["notifier"].database.transaction() as conn:
        await conn.execute(text(NOT_SENT))
    result = await wait_until_drained(places, seconds=3, progress=lines.append)
    async with filled["notifier"].database.transaction() as conn:
        await conn.execute(text("DELETE FROM outbox"))
    assert result.findings == [Finding("outbox of notifier", "1 not yet sent")]
    assert len(lines) >= 1
    assert (await wait_until_drained(places, seconds=0, progress=silent)).holds


async def test_a_message_in_a_queue_is_seen(nodes: Nodes, amqp_url: str, places: Places):
    management_url = nodes.stack.urls().management_url
    if management_url is None:
        pytest.skip("only our own broker has a management interface that we know")
    broker = Broker(management_url, urlsplit(amqp_url).path[1:])
    await _leave_message(broker)

    async def seen() -> bool:
        return not (await look(Places(places.databases, broker))).holds

    await until(seen, every_s=0.3, what="the broker counts the message")


async def _leave_message(broker: Broker) -> None:
    url = httpx.URL(broker.management_url)
    base = str(url.copy_with(userinfo=b"")).rstrip("/")
    message = {"routing_key": "left", "payload": "x", "payload_encoding": "string"}
    async with httpx.AsyncClient(auth=(url.username, url.password), trust_env=False) as client:
        made = await client.put(f"{base}/api/queues/{broker.vhost}/left", json={"durable": True})
        sent = await client.post(
            f"{base}/api/exchanges/{broker.vhost}/amq.default/publish",
            json=message | {"properties": {}},
        )
    assert (made.status_code, sent.json()) == (201, {"routed": True})


def run_audit(places: Places, *arguments: str) -> tuple[int, str]:
    environment = {
        variable_of(service, "database_url"): url for service, url in places.databases.items()
    }
    result = CliRunner(env=environment | {"NPMS_MANAGEMENT_URL": ""}).invoke(
        command_line(["audit"]), ["audit", "--drain-seconds", "0", "--once", *arguments]
    )
    return result.exit_code, result.output


async def test_the_command_says_by_its_exit_whether_all_holds(
    filled: Databases, places: Places, tmp_path: Path
):
    code, output = await asyncio.to_thread(run_audit, places)
    assert (code, "BROKEN" in output) == (0, False), output
    await _add_to_balance(filled, 1)
    file = tmp_path / "audit.json"
    code, output = await asyncio.to_thread(run_audit, places, "--json", str(file))
    await _add_to_balance(filled, -1)
    assert code == 1
    assert "account 1: balance in micro-units is" in output
    assert json.loads(file.read_text())["holds"] is False


async def _add_to_balance(filled: Databases, micro: int) -> None:
    statement = text("UPDATE position SET balance_micro = balance_micro + :micro")
    async with filled["ledger"].database.transaction() as conn:
        await conn.execute(statement, {"micro": micro})


async def test_a_database_that_cannot_be_read_is_said_in_a_sentence():
    nowhere = Places(dict.fromkeys(SERVICES, "postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(CommandError, match="the audit cannot read"):
        await asyncio.to_thread(run_audit_strictly, nowhere)


def run_audit_strictly(places: Places) -> None:
    environment = {
        variable_of(service, "database_url"): url for service, url in places.databases.items()
    }
    CliRunner(env=environment).invoke(
        command_line(["audit"]), ["audit", "--drain-seconds", "0"], catch_exceptions=False
    )
