"""The schema, the append-only tables and the rules that watch over the data."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from tests.integration.payments.conftest import House
from tests.support.databases import TestDatabase

from npms_payments.invariants import RULES
from npms_payments.storage.tables import metadata
from npms_shared.db.engine import Database
from npms_shared.db.invariants import check
from npms_shared.ids import new_id

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


async def broken(database: Database) -> set[str]:
    return {violation.rule.name for violation in await check(database, RULES)}


async def do(database: Database, *statements: str) -> None:
    async with database.transaction() as conn:
        for statement in statements:
            await conn.execute(text(statement))


async def test_tables_are_what_the_migration_made(database_for: MakeDatabase) -> None:
    made = await database_for("payments")

    def columns(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {name: {c["name"] for c in found.get_columns(name)} for name in metadata.tables}

    async with made.database.connect() as conn:
        there = await conn.run_sync(columns)
    for name, table in metadata.tables.items():
        assert {column.name for column in table.columns} - there[name] == set()
        assert there[name] - {column.name for column in table.columns} <= {"noted_at"}


@pytest.mark.parametrize("table", ["arrival", "provider_event", "review"])
async def test_history_is_only_added_to(database_for: MakeDatabase, table: str) -> None:
    made = await database_for("payments")
    with pytest.raises(DBAPIError, match="permission denied"):
        await do(made.database, f"DELETE FROM {table}")  # noqa: S608


async def busy(house: House) -> Database:
    """A house where every kind of payment was made, with all rules kept."""
    await house.open_account(1)
    for pin in await house.make_vouchers(2):
        await house.post("/v1/accounts/1/vouchers", {"pin": pin})
    made = (await house.top_up(1)).json()
    await house.sim.post(f"/checkouts/{made['checkout']['reference']}/pay")
    await house.top_up(1)
    body = {"amount": {"amount": "1", "currency": "KES"}, "source": "bank"}
    for account, reference in (("1", "a"), ("9", "b"), ("9", "c")):
        full = body | {"account_number": account, "reference": reference}
        item = (await house.post("/v1/payments", full)).json()
    path = f"/v1/suspense/{item['suspense_id']}/allocate"
    await house.post(path, {"account_id": 1, "reason": "found"})
    assert await house.count("payment", "state = 'settled'") == 5
    assert await broken(house.service.database) == set()
    return house.service.database


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (
            (
                "UPDATE payment SET credited_at = now(), to_debt_micro = 0, "
                "to_emergency_micro = 0, to_balance_micro = 5 WHERE reference = 'a'"
            ),
            "credits_are_whole",
        ),
        ("DELETE FROM suspense_item WHERE state = 'open'", "arrivals_have_one_place"),
        (
            "UPDATE payment SET amount_micro = amount_micro + 1 WHERE reference = 'a'",
            "arrivals_have_one_place",
        ),
        (
            "UPDATE suspense_item SET state = 'open', payment_id = NULL",
            "arrivals_have_one_place",
        ),
        (
            "UPDATE voucher SET state = 'active', payment_id = NULL, redeemed_at = NULL",
            "vouchers_paid_once",
        ),
        ("UPDATE voucher_batch SET value_micro = value_micro + 1", "vouchers_paid_once"),
        (
            (
                "UPDATE voucher SET payment_id = (SELECT payment_id FROM payment "
                "WHERE reference = 'a') WHERE serial LIKE '%2'"
            ),
            "redeemed_vouchers_paid",
        ),
        ("UPDATE checkout SET query_at = NULL", "orders_are_followed_up"),
    ],
)
async def test_each_rule_finds_its_planted_fault(house: House, fault: str, rule: str) -> None:
    database = await busy(house)
    await do(database, fault)
    assert rule in await broken(database)


async def test_a_payment_that_is_never_credited_is_found(
    house: House, database_for: MakeDatabase
) -> None:
    del database_for
    database = await busy(house)
    await do(
        database,
        "INSERT INTO arrival VALUES ('bank', '', 'old', 5, 'KES', now(), now() - interval '6 min')",
        "INSERT INTO payment (payment_id, account_id, amount_micro, currency, source, issuer, "  # noqa: S608
        "reference, state, created_at, created_by, settled_at, noted_at) "
        f"VALUES ('{new_id()}', 1, 5, 'KES', 'bank', '', 'old', 'settled', now(), 'x', now(), "
        "now() - interval '6 minutes')",
    )
    assert await broken(database) == {"payments_credited_in_time"}


async def test_money_settles_only_after_it_arrived(house: House) -> None:
    database = await busy(house)
    with pytest.raises(DBAPIError, match="foreign key"):
        await do(database, "UPDATE payment SET reference = 'invented' WHERE reference = 'a'")
    with pytest.raises(DBAPIError, match="check constraint"):
        await do(database, "UPDATE payment SET settled_at = NULL WHERE reference = 'a'")
