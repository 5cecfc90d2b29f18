"""Corrections, provisional charges and settlements are posted once, explained, and decided on."""

import pytest
from sqlalchemy import text
from tests.integration.ledger.adjusting import QUEUE, adjustment
from tests.integration.ledger.house import M

from npms_shared.db.engine import Database
from npms_shared.messaging.subscriptions import Unprocessable


async def test_an_adjustment_is_posted_once_and_explains_itself(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    event = adjustment(house, opened, 10 * M)
    await house.receive(QUEUE, event)
    await house.receive(QUEUE, event)
    assert await house.balance(opened) == "90.000000"
    page = (await house.get(f"/v1/accounts/{opened['account_id']}/statement")).json()
    entry = page["items"][0]
    assert (entry["kind"], entry["bucket"]) == ("correction", "balance")
    assert entry["amount"]["amount"] == "-10.000000"
    assert entry["charge"] is None
    shown = entry["adjustment"]
    assert shown["adjustment_id"] == str(event.adjustment_id)
    assert shown["reason"] == "the price of March was wrong"
    assert (shown["plan_code"], shown["plan_version"]) == ("household", 3)
    assert shown["tax"]["amount"] == "1.000000"
    assert [line["amount"]["amount"] for line in shown["lines"]] == ["9.000000", "1.000000"]
    assert page["items"][1]["adjustment"] is None
    assert await house.broken() == []


async def test_revenue_and_tax_stand_on_the_other_side(house):
    opened = await house.open()
    await house.receive(QUEUE, adjustment(house, opened, 10 * M))
    await house.receive(QUEUE, adjustment(house, opened, -30 * M, kind="settlement"))
    rows = await house.rows(
        "SELECT ledger_account, CAST(sum(amount_micro) AS bigint) AS total FROM system_posting "
        "GROUP BY ledger_account"
    )
    assert {row.ledger_account: row.total for row in rows} == {
        "energy_revenue": -18 * M,
        "tax_payable": -2 * M,
    }


async def test_what_is_given_back_restores_supply_and_what_is_taken_ends_it(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 20 * M)
    await house.receive(QUEUE, adjustment(house, opened, 21 * M, kind="provisional"))
    assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
    await house.receive(QUEUE, adjustment(house, opened, -21 * M, kind="settlement"))
    shown = await house.account(opened["account_id"])
    assert (shown["balance"]["amount"], shown["supply_desired"]) == ("20.000000", "on")
    assert await house.broken() == []


async def test_charges_go_on_from_their_registers_beside_adjustments(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, M))
    await house.receive(QUEUE, adjustment(house, opened, 2 * M, energy_wh=500))
    await house.charge((opened, M))
    assert await house.balance(opened) == "96.000000"
    assert await house.broken() == []


async def test_money_that_only_changes_its_name_moves_tax_and_no_balance(house):
    opened = await house.open()
    lines = [("energy", "peak", 1, 0, -M), ("tax:vat", "", 0, 0, M)]
    await house.receive(QUEUE, adjustment(house, opened, 0, tax_micro=M, lines=lines))
    assert await house.balance(opened) == "0.000000"
    assert await house.items(f"/v1/accounts/{opened['account_id']}/statement") == []
    rows = await house.rows("SELECT ledger_account, amount_micro FROM system_posting ORDER BY 1")
    assert [tuple(row) for row in rows] == [("energy_revenue", -M), ("tax_payable", M)]
    assert await house.broken() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account_id": 999}, "unknown_account"),
        ({"currency": "ZAR"}, "currency_mismatch"),
        ({"installation_id": 999}, "not_the_account_s_installation"),
        ({"tax_micro": 5}, "lines_do_not_add_up"),
        ({"lines": []}, "lines_do_not_add_up"),
    ],
)
async def test_an_adjustment_that_fits_nobody_is_refused(house, changes, code):
    opened = await house.open()
    with pytest.raises(Unprocessable) as refused:
        await house.receive(QUEUE, adjustment(house, opened, M, **changes))
    assert refused.value.code == code
    assert await house.rows("SELECT * FROM posting") == []


async def test_a_lost_explanation_is_found(house):
    opened = await house.open()
    await house.receive(QUEUE, adjustment(house, opened, M))
    owner = Database(house.made.migration_url)
    async with owner.transaction() as conn:
        await conn.execute(text("UPDATE adjustment SET lines = '[]'"))
    await owner.close()
    assert await house.broken() == ["adjustments_explain_themselves"]
