"""What was posted cannot be changed unseen, not even by the database's owner."""

# ruff: noqa: S608 - statements of this file

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.ledger.house import M

from npms_ledger.domain.seal import CHARGE_COLUMNS
from npms_ledger.handlers.post_charges import PostCharges
from npms_ledger.handlers.verify_seals import broken_seals, chain_heads
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import Meta, Received


async def a_history(house) -> None:
    """Two accounts, top-ups, two batches of charges, a loan inside one of them, a reversal."""
    one = await house.open(opening_debt={"amount": "5", "currency": "KES"})
    two = await house.open()
    for opened in (two, one):
        await house.pay(opened["account_id"], 100 * M)
    await house.charge((two, 1), (one, M), (two, 2 * M), (one, 90 * M))
    await house.post(f"/v1/accounts/{one['account_id']}/emergency-credit")
    await house.charge((one, 9 * M), (two, M))
    await house.take_back(await house.pay(two["account_id"], 20 * M))


async def tamper(house, *statements: str) -> None:
    owner = Database(house.made.migration_url)
    async with owner.transaction() as conn:
        for statement in statements:
            assert (await conn.execute(text(statement))).rowcount > 0, statement
    await owner.close()


async def found(house) -> dict[str, set[str]]:
    """What the verifier says, by journal."""
    said: dict[str, set[str]] = {}
    async with house.database.connect() as conn:
        for row in await broken_seals(conn):
            said.setdefault(str(row.journal_id), set()).add(row.says)
    return said


async def journal_of(house, where: str) -> str:
    (row, *_) = await house.rows(f"SELECT journal_id FROM posting WHERE {where}")
    return str(row.journal_id)


CHANGED = {"it is not as it was sealed"}
CHARGE = "account_id = 1 AND kind = 'charge' AND amount_micro = -90000000"
TOP_UP = "account_id = 2 AND kind = 'top_up' AND amount_micro = 100000000"


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (CHARGE, "amount_micro = amount_micro + 1"),
        (CHARGE, "after_micro = after_micro + 1"),
        (CHARGE, "from_register_wh = from_register_wh - 1"),
        (CHARGE, "to_register_wh = to_register_wh + 1"),
        (CHARGE, "from_at = from_at - interval '1 second'"),
        (CHARGE, "to_at = to_at + interval '1 second'"),
        (CHARGE, "energy_wh = energy_wh + 1"),
        (CHARGE, "plan_version_id = plan_version_id + 1"),
        (CHARGE, "tax_micro = tax_micro + 1"),
        (CHARGE, "installation_id = installation_id + 100"),
        (CHARGE, "lines = lines || ' '"),
        (TOP_UP, "amount_micro = amount_micro + 1"),
        (TOP_UP, "after_micro = after_micro + 1"),
        (TOP_UP, "kind = 'reversal'"),
        (TOP_UP, "bucket = 'debt'"),
        (TOP_UP, "seq = seq + 1000"),
        (TOP_UP, "account_id = account_id + 1000"),
        (TOP_UP, "item_no = coalesce(item_no, 0) + 1"),
        (TOP_UP, "label = 'accumulated'"),
        (TOP_UP, "tax_micro = 1"),
    ],
)
async def test_o3_a_changed_posting_is_found_and_its_journal_named(house, row, change):
    await a_history(house)
    assert await found(house) == {}
    assert await house.broken() == []
    journal_id = await journal_of(house, row)
    await tamper(house, f"UPDATE posting SET {change} WHERE {row}")
    assert await found(house) == {journal_id: CHANGED}
    assert "seals_fit" in await house.broken()


async def test_o3_every_column_of_a_posting_is_sealed(house):
    """A new column must enter the canonical form, or be named here with the reason."""
    columns = await house.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'posting'"
    )
    sealed = {*CHARGE_COLUMNS, "journal_id", "bucket", "kind", "lines", "from_at", "to_at"}
    of_entries = {"item_no", "label"}
    assert {row.column_name for row in columns} == sealed - {"from_s", "to_s"} | of_entries


async def test_o3_a_deleted_posting_is_found(house):
    await a_history(house)
    journal_id = await journal_of(house, CHARGE)
    await tamper(house, f"DELETE FROM posting WHERE {CHARGE}")
    assert await found(house) == {journal_id: CHANGED}


async def test_o3_a_journal_deleted_whole_or_added_is_found(house):
    await a_history(house)
    gone = await journal_of(house, "account_id = 1 AND kind = 'opening'")
    of_it = f"WHERE journal_id = '{gone}'"
    added = str(new_id())
    await tamper(
        house,
        f"DELETE FROM posting {of_it}",
        f"DELETE FROM system_posting {of_it}",
        f"DELETE FROM journal {of_it}",
        f"INSERT INTO journal (journal_id, kind, posted_at) VALUES ('{added}', 'opening', now())",
    )
    assert await found(house) == {gone: {"it was sealed and is gone"}, added: {"it has no seal"}}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal SET posted_at = posted_at - interval '1 microsecond' WHERE {}",
        "UPDATE journal SET kind = 'charges' WHERE {}",
        "UPDATE journal SET payment_id = NULL WHERE {}",
        "UPDATE system_posting SET amount_micro = amount_micro + 1 WHERE {}",
        "UPDATE system_posting SET ledger_account = 'clearing:cash' WHERE {}",
        "UPDATE system_posting SET currency = 'ZAR' WHERE {}",
        "DELETE FROM system_posting WHERE {}",
    ],
)
async def test_o3_a_changed_journal_or_system_posting_is_found(house, change):
    await a_history(house)
    journal_id = await journal_of(house, TOP_UP)
    await tamper(house, change.format(f"journal_id = '{journal_id}'"))
    assert await found(house) == {journal_id: CHANGED}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE seal SET hash = sha256(hash) WHERE journal_id = '{}'",
        "UPDATE seal SET prev_hash = sha256(prev_hash) WHERE journal_id = '{}'",
        "UPDATE seal SET digest = sha256(digest) WHERE journal_id = '{}'",
        "UPDATE seal SET seq = seq + 1000 WHERE journal_id = '{}'",
        "DELETE FROM seal WHERE journal_id = '{}'",
        """UPDATE seal SET digest = sha256(digest), hash = sha256(prev_hash || sha256(digest))
           WHERE journal_id = '{}'""",
    ],
)
async def test_o3_a_changed_or_deleted_seal_is_found(house, change):
    await a_history(house)
    journal_id = await journal_of(house, CHARGE)
    await tamper(house, change.format(journal_id))
    assert journal_id in await found(house)
    if "DELETE" not in change:
        assert "newest_seals_chain" in await house.broken()


async def test_o3_an_end_of_a_chain_cut_off_with_its_journals_is_found(house):
    await a_history(house)
    (head,) = await house.rows("SELECT * FROM seal_head WHERE chain LIKE 'charges%'")
    (last,) = await house.rows(f"SELECT journal_id FROM seal WHERE hash = '\\x{head.hash.hex()}'")
    of_it = f"WHERE journal_id = '{last.journal_id}'"
    await tamper(
        house,
        *(f"DELETE FROM {t} {of_it}" for t in ("posting", "system_posting", "journal", "seal")),
    )
    (says,) = (await found(house)).values()
    assert says == {f"the head of chain {head.chain} is not its last seal"}


async def test_the_application_may_neither_change_nor_delete_a_seal(house):
    await a_history(house)
    for statement in ("UPDATE seal SET seq = seq", "DELETE FROM seal", "TRUNCATE seal"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with house.database.transaction() as conn:
                await conn.execute(text(statement))


async def test_many_writers_at_once_make_unbroken_chains(house):
    """Crews have chains of their own; people share those of accounts, one after the other."""
    accounts = [await house.open() for _ in range(8)]
    crews = [PostCharges(house.clock) for _ in range(4)]

    async def charge(crew: int) -> None:
        mine = accounts[crew * 2 : crew * 2 + 2]
        for _ in range(5):
            batch = house.charges(*((opened, M) for opened in mine))
            received = [Received(Meta(new_id(), "", "", house.clock.now()), batch)]
            async with house.database.transaction() as conn:
                await crews[crew](conn, [(crew + 4, received), (crew, [])])

    async def pay(opened) -> None:
        for _ in range(3):
            await house.pay(opened["account_id"], M)

    async with asyncio.TaskGroup() as group:
        for crew in range(4):
            group.create_task(charge(crew))
        for opened in accounts:
            group.create_task(pay(opened))
    assert await house.broken() == []
    async with house.database.connect() as conn:
        heads = {head.chain: head.seq for head in await chain_heads(conn)}
    assert {f"charges.{crew}": 5 for crew in range(4)}.items() <= heads.items()
    assert sum(heads.values()) == 4 * 5 + 8 * 3
