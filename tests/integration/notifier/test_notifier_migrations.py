"""What a migration makes of what was there."""

from collections.abc import Awaitable, Callable

from tests.support.databases import TestDatabase
from tests.support.migrating import migrated_by_steps
from tests.support.nodes import Nodes

from npms_shared.ids import new_id

BEFORE = """
    INSERT INTO account (account_id, customer_id, customer_name, currency, time_zone, language,
                         opened_at)
    VALUES (1, 77, 'Wanjiku', 'KES', 'Africa/Nairobi', 'en', now());
    INSERT INTO contact (account_id, channel, address, position, fault)
    VALUES (1, 'sms', '+254712345678', 1, NULL), (1, 'sms', '0712', 2, 'not_an_e164_number');
"""
DELIVERY = """
    INSERT INTO delivery (delivery_id, account_id, message_id, channel, address, template,
                          language, subject, body, state, attempts, due_at, created_at, settled_at)
    VALUES ($1, 1, $1, 'sms', '+254712345678', 'low_balance', 'en', '', 'Low.', $2, $3,
            CASE WHEN $4 THEN NULL ELSE now() END, now(), CASE WHEN $4 THEN now() END)
"""


async def test_addresses_from_before_the_rule_are_verified_and_their_messages_go_on(
    nodes: Nodes, database_for: Callable[[str], Awaitable[TestDatabase]]
) -> None:
    await database_for("notifier")
    async with migrated_by_steps(nodes, "notifier") as (migrate, owner):
        await migrate("0003")
        await owner.execute(BEFORE)
        for state, attempts, settled in (("queued", 0, False), ("sent", 1, True)):
            await owner.execute(DELIVERY, new_id(), state, attempts, settled)
        await migrate("head")
        contacts = await owner.fetch("SELECT verified_at FROM contact ORDER BY position")
        assert [row[0] is not None for row in contacts] == [True, False]
        await owner.execute(
            "INSERT INTO contact (account_id, channel, address, position)"
            " VALUES (1, 'sms', '+254733000111', 3)"
        )
        added = "SELECT verified_at FROM contact WHERE position = 3"
        assert await owner.fetchval(added) is None, "also of a program from before the rule"
        await owner.execute(
            "UPDATE delivery SET state = 'sending', attempts = 1 WHERE attempts = 0"
        )
        constraints = "SELECT conname FROM pg_constraint WHERE conrelid = 'delivery'::regclass"
        for name in [row[0] for row in await owner.fetch(f"{constraints} AND NOT convalidated")]:
            await owner.execute(f'ALTER TABLE delivery VALIDATE CONSTRAINT "{name}"')
