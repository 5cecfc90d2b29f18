"""What must hold is found where it does not, and asked by indexes."""

import httpx
import pytest
from sqlalchemy import text
from tests.integration.notifier.parts import PHONE, RESTORED, Notifier

from npms_notifier.invariants import RULES
from npms_shared.db import invariants
from npms_shared.db.invariants import Rule

INDEXES = {
    "deliveries_are_attended_to": {"delivery_due"},
    "held_deliveries_end": {"delivery_held"},
    "open_tickets_wait_for_us": {"ticket_not_closed", "ticket_message_ticket"},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
async def test_each_rule_is_asked_by_an_index(notifier: Notifier, rule: Rule) -> None:
    """Of tables that only grow: what is done with is not looked at again."""
    async with notifier.database.connect() as conn:
        await conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join((await conn.execute(text(f"EXPLAIN {rule.query}"))).scalars())
    assert "Seq Scan" not in plan
    for index in INDEXES[rule.name]:
        assert index in plan, plan


async def test_rules_hold_and_find_what_is_left_lying(notifier: Notifier) -> None:
    await notifier.open_account(1, PHONE)
    await notifier.notify(RESTORED)
    async with notifier.database.transaction() as conn:
        await conn.execute(text("UPDATE delivery SET due_at = now() - interval '59 minutes'"))
    assert await invariants.check(notifier.database, RULES) == []
    async with notifier.database.transaction() as conn:
        await conn.execute(text("UPDATE delivery SET due_at = now() - interval '61 minutes'"))
    [violation] = await invariants.check(notifier.database, RULES)
    assert violation.rule.name == "deliveries_are_attended_to"


async def test_what_is_held_too_long_is_found(notifier: Notifier) -> None:
    await notifier.open_account(1, PHONE, verified=False)
    await notifier.notify(RESTORED)
    async with notifier.database.transaction() as conn:
        overdue = "UPDATE delivery SET held_until = now() - interval '61 minutes'"
        await conn.execute(text(f"{overdue} WHERE state = 'held'"))
        await conn.execute(text("UPDATE delivery SET due_at = now() WHERE due_at IS NOT NULL"))
    [violation] = await invariants.check(notifier.database, RULES)
    assert violation.rule.name == "held_deliveries_end"


async def test_a_ticket_whose_state_is_not_what_was_written_is_found(
    notifier: Notifier, rest: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    await notifier.open_account(1)
    question = {"subject": "Why?", "body": "Why twice?"}
    await rest.post("/v1/accounts/1/tickets", json=question, headers=customer)
    assert await invariants.check(notifier.database, RULES) == []
    async with notifier.database.transaction() as conn:
        await conn.execute(text("UPDATE ticket SET state = 'answered'"))
    [violation] = await invariants.check(notifier.database, RULES)
    assert violation.rule.name == "open_tickets_wait_for_us"
