"""Charges and payments move money once, keep the books, and lead to the right word and switch."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.integration.ledger.house import POLICY, M, reversal_of

from npms_shared.contracts.meter_gateway import SupplyReported
from npms_shared.messaging.subscriptions import Unprocessable


async def test_the_story_of_an_account(house):
    opened = await house.open(opening_debt={"amount": "5", "currency": "KES"})
    await house.pay(opened["account_id"], 100 * M)
    (credit,) = await house.events("credit_posted")
    parts = (credit["to_debt_micro"], credit["to_emergency_micro"], credit["to_balance_micro"])
    assert parts == (5 * M, 0, 95 * M)
    await house.charge((opened, 40 * M), (opened, 10 * M))
    (warning,) = await house.events("threshold_crossed")
    assert (warning["threshold_micro"], warning["balance_micro"]) == (50 * M, 45 * M)
    assert warning["amount_to_avoid_cut_micro"] == 15 * M
    await house.charge((opened, 36 * M))
    assert len(await house.events("emergency_credit_offered")) == 1
    accept = f"/v1/accounts/{opened['account_id']}/emergency-credit"
    assert (await house.post(accept)).json()["emergency_credit"]["state"] == "invoked"
    assert (await house.post(accept)).json()["code"] == "emergency_not_offered"
    await house.charge((opened, 20 * M))
    shown = await house.account(opened["account_id"])
    assert shown["balance"]["amount"] == "0.000000"
    assert shown["emergency_credit"]["used"]["amount"] == "11.000000"
    assert shown["supply_reason"] == "emergency_credit"
    await house.charge((opened, 19 * M), (opened, 3 * M))
    (exhausted,) = await house.events("credit_exhausted")
    assert exhausted["amount_to_clear_micro"] == 30 * M + 1
    await house.pay(opened["account_id"], 53 * M)
    assert await house.balance(opened) == "20.000000"
    assert len(await house.events("credit_restored")) == 1
    supplies = [
        (s["state"], s["revision"], s["reason"]) for s in await house.events("supply_desired")
    ]
    assert supplies == [
        ("off", 1, "no_credit"),
        ("on", 2, "in_credit"),
        ("off", 3, "exhausted"),
        ("on", 4, "in_credit"),
    ]
    assert await house.broken() == []


async def test_a_debit_explains_itself(house):
    opened = await house.open()
    payment = await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    page = (await house.get(f"/v1/accounts/{opened['account_id']}/statement")).json()
    debit, credit = page["items"]
    assert page["next_cursor"] is None
    assert (debit["amount"]["amount"], debit["after"]["amount"]) == ("-10.000000", "90.000000")
    charge = debit["charge"]
    assert charge["register_from"]["value"] == "100.000"
    assert charge["register_to"]["value"] == "101.000"
    assert (charge["plan_code"], charge["plan_version"]) == ("household", 3)
    assert charge["tax"]["amount"] == "1.000000"
    energy, tax = charge["lines"]
    assert (energy["component"], energy["period"], energy["block"]) == ("energy", "peak", 2)
    assert energy["energy"]["value"] == "1.000"
    assert tax["amount"]["amount"] == "1.000000"
    assert credit["payment"]["payment_id"] == str(payment.payment_id)
    assert (credit["payment"]["source"], credit["payment"]["reference"]) == ("voucher", "V-1")


async def test_statements_go_on_by_cursor(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge(*[(opened, M)] * 4)
    path = f"/v1/accounts/{opened['account_id']}/statement?limit=2"
    seen, cursor = [], ""
    while cursor is not None:
        page = (await house.get(path + cursor)).json()
        seen += [item["seq"] for item in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == [5, 4, 3, 2, 1]


async def test_many_accounts_in_one_batch_share_one_journal(house):
    accounts = [await house.open() for _ in range(5)]
    for opened in accounts:
        await house.pay(opened["account_id"], 100 * M)
    items = [(opened, (n + 1) * M) for n, opened in enumerate(accounts)] * 3
    await house.post_batches(house.charges(*items), house.charges(*items))
    assert [await house.balance(a) for a in accounts] == [
        f"{100 - 6 * (n + 1)}.000000" for n in range(5)
    ]
    rows = await house.rows(
        "SELECT ledger_account, sum(amount_micro) AS total FROM system_posting s "
        "JOIN journal USING (journal_id) WHERE kind = 'charges' GROUP BY ledger_account"
    )
    assert {row.ledger_account: int(row.total) for row in rows} == {
        "energy_revenue": 81 * M,
        "tax_payable": 9 * M,
    }
    assert len(await house.rows("SELECT 1 FROM journal WHERE kind = 'charges'")) == 1
    assert await house.broken() == []


async def test_batches_small_and_large_leave_the_same(house):
    """The same charges one by one and all at once: same balances, same loan, same switch."""
    one, all_ = await house.open(), await house.open()
    for opened in (one, all_):
        await house.pay(opened["account_id"], 30 * M)
        await house.charge((opened, 21 * M))
        await house.post(f"/v1/accounts/{opened['account_id']}/emergency-credit")
    amounts = [5 * M, 7 * M, 11 * M, 13 * M, 17 * M]
    for amount in amounts:
        await house.charge((one, amount))
    await house.charge(*[(all_, amount) for amount in amounts])
    first, second = [await house.account(a["account_id"]) for a in (one, all_)]
    for part in ("balance", "debt", "emergency_credit", "supply_desired", "amount_to_clear"):
        assert first[part] == second[part]
    assert await house.broken() == []


async def test_charges_that_fit_no_account_are_parked_and_the_others_posted(house):
    mine, other = await house.open(), await house.open()
    await house.pay(mine["account_id"], 100 * M)
    house.registers[99] = 0
    stranger = {"installation_id": 99, "account_id": mine["account_id"]}
    mixed = {"installation_id": other["installation_id"], "account_id": mine["account_id"]}
    await house.charge((mine, M), (stranger, M), (mixed, M), (mine, M))
    assert await house.balance(mine) == "98.000000"
    parked = await house.items("/v1/parked-charges")
    assert {item["code"] for item in parked} == {
        "unknown_installation",
        "not_the_account_s_installation",
    }
    await house.charge((mine, M), currency="ZAR")
    parked = await house.items("/v1/parked-charges")
    assert parked[0]["code"] == "currency_mismatch"
    assert parked[0]["charge"]["amount_micro"] == M


async def test_a_register_interval_is_charged_once_whatever_message_it_comes_by(house):
    """As of a batch that was rated again, or replayed after it was applied."""
    mine, other = await house.open(), await house.open()
    await house.pay(mine["account_id"], 100 * M)
    first = house.charges((mine, 10 * M))
    await house.post_batches(first)
    second = house.charges((mine, M), (other, M))
    with pytest.raises(IntegrityError, match="posting_charged_once"):
        await house.post_batches(first, second)
    house.post_charges.forget(0)
    await house.post_batches(first, second)
    assert await house.balance(mine) == "89.000000", "the second is posted, the first not again"
    assert await house.balance(other) == "-1.000000"
    (parked,) = await house.items("/v1/parked-charges")
    assert parked["code"] == "already_charged"

    part_of_it = {
        "from_register_wh": [first.from_register_wh[0] + 500],
        "to_register_wh": [first.to_register_wh[0] + 500],
    }
    house.post_charges.forget(0)
    await house.post_batches(first.model_copy(update=part_of_it))
    assert await house.balance(mine) == "89.000000", "nor a part of an interval"
    assert await house.broken() == []


async def test_a_settlement_gives_back(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 20 * M)
    await house.charge((opened, 21 * M))
    assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
    await house.charge((opened, -6 * M))
    shown = await house.account(opened["account_id"])
    assert (shown["balance"]["amount"], shown["supply_desired"]) == ("5.000000", "on")
    assert await house.broken() == []


async def test_a_payment_is_credited_once(house):
    opened = await house.open()
    event = await house.pay(opened["account_id"], 10 * M)
    await house.settle(event)
    assert await house.balance(opened) == "10.000000"
    assert len(await house.events("credit_posted")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account_id": 999}, "unknown_account"),
        ({"currency": "ZAR"}, "currency_mismatch"),
        ({"amount_micro": 0}, "not_positive"),
        ({"amount_micro": -5}, "not_positive"),
    ],
)
async def test_a_payment_that_cannot_be_is_refused(house, changes, code):
    opened = await house.open()
    with pytest.raises(Unprocessable) as refused:
        await house.pay(**{"account_id": opened["account_id"], "amount_micro": M, **changes})
    assert refused.value.code == code


async def test_the_same_payment_with_another_amount_is_refused(house):
    opened = await house.open()
    event = await house.pay(opened["account_id"], 10 * M)
    with pytest.raises(Unprocessable) as refused:
        await house.settle(event.model_copy(update={"amount_micro": 11 * M}))
    assert refused.value.code == "payment_differs"


async def test_a_reversal_takes_the_balance_and_leaves_debt(house):
    opened = await house.open()
    event = await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 30 * M))
    await house.take_back(event)
    await house.take_back(event)
    shown = await house.account(opened["account_id"])
    assert (shown["balance"]["amount"], shown["debt"]["amount"]) == ("0.000000", "30.000000")
    assert await house.broken() == []


async def test_a_reversal_that_comes_first_wins(house):
    opened = await house.open()
    event = await house.pay(opened["account_id"], 100 * M)
    late = event.model_copy(update={"payment_id": reversal_of(event, house.clock).reversal_id})
    await house.take_back(late)
    await house.settle(late)
    assert await house.balance(opened) == "100.000000"
    assert await house.broken() == []


async def test_friendly_hours_keep_the_supply_and_then_it_is_cut(house):
    """12:00 UTC is 15:00 in Nairobi."""
    friendly = [{"days": ["wed"], "from": "14:00", "to": "18:00"}]
    opened = await house.open(
        credit_policy={**POLICY, "friendly_hours": friendly, "emergency": None}
    )
    await house.pay(opened["account_id"], 10 * M)
    await house.charge((opened, 12 * M))
    (exhausted,) = await house.events("credit_exhausted")
    assert exhausted["keeps_supply_until"] == "2026-03-04T15:00:00Z"
    assert await house.decide() == 0
    house.clock.advance(timedelta(hours=2))
    assert await house.decide() == 1
    house.clock.advance(timedelta(hours=1))
    assert await house.decide() == 1
    assert await house.decide() == 0
    keeps = [e["keeps_supply_until"] for e in await house.events("credit_exhausted")]
    assert keeps == ["2026-03-04T15:00:00Z", "2026-03-04T15:00:00Z", None]
    assert [s["state"] for s in await house.events("supply_desired")] == ["on", "off"]
    assert await house.broken() == []


async def test_a_top_up_and_charges_at_once_lose_nothing(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 1000 * M)
    batches = [house.charges((opened, M), (opened, 2 * M)) for _ in range(8)]
    await asyncio.gather(
        *(house.pay(opened["account_id"], 5 * M) for _ in range(8)),
        *(house.post_batches(batch) for batch in batches),
    )
    assert await house.balance(opened) == f"{1000 + 40 - 24}.000000"
    assert [name for name in await house.broken() if name != "registers_chain"] == []


async def test_what_the_relay_is_seen_to_be_stands_beside_what_it_should_be(house):
    opened = await house.open()
    report = SupplyReported(
        installation_id=opened["installation_id"],
        account_id=opened["account_id"],
        state="off",
        desired_revision=1,
        verified=True,
        observed_at=house.clock.now(),
    )
    await house.receive("ledger.supply", report)
    older = report.model_copy(
        update={"state": "on", "observed_at": house.clock.now() - timedelta(minutes=1)}
    )
    await house.receive("ledger.supply", older)
    (supply,) = await house.items(f"/v1/accounts/{opened['account_id']}/supply")
    assert supply["reported"]["state"] == "off"
    assert supply["reported"]["verified"] is True
    stray = report.model_copy(update={"installation_id": 999_999})
    with pytest.raises(Unprocessable, match="unknown_installation"):
        await house.receive("ledger.supply", stray)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE posting SET amount_micro = 0",
        "DELETE FROM posting",
        "TRUNCATE posting",
        "UPDATE journal SET kind = 'x'",
        "DELETE FROM journal",
        "UPDATE system_posting SET amount_micro = 1",
        "DELETE FROM system_posting",
        "UPDATE credit_policy_version SET version = 2",
    ],
)
async def test_the_application_cannot_edit_history(house, statement):
    with pytest.raises(DBAPIError, match="permission denied"):
        async with house.database.transaction() as conn:
            await conn.execute(text(statement))
