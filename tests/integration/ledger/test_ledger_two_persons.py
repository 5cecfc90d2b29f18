"""What people do is kept, and money that people move needs a second of them."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.ledger.acts import BOSS, decide, fix_money, reallocate
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal
from tests.support.values import money


async def test_o3_a_manual_adjustment_has_actor_reason_and_approver(house):
    opened = await house.open()
    account_id = opened["account_id"]
    asked = await fix_money(house, account_id, "40", sub="the-clerk")
    assert asked.status_code == 202, asked.text
    request = asked.json()
    assert (request["state"], request["moved"]) == ("requested", None)
    assert await house.balance(opened) == "0.000000"
    own = await decide(house, request["request_id"], sub="the-clerk")
    assert refusal(own) == (409, "second_person_required")
    approved = await decide(house, request["request_id"], **BOSS)
    assert approved.status_code == 200, approved.text
    posted = approved.json()
    assert (posted["requested_by"], posted["decided_by"]) == ("the-clerk", "the-boss")
    assert posted["reason"] == "The voucher was never credited."
    assert await house.balance(opened) == "40.000000"
    again = await decide(house, request["request_id"], sub="another")
    assert refusal(again) == (409, "request_decided")
    done, wanted, _opened = await house.audit_trail(f"?subject=account:{account_id}")
    assert (wanted["action"], wanted["by_subject"]) == ("money_fix_requested", "the-clerk")
    assert (done["action"], done["by_subject"]) == ("money_fix_approved", "the-boss")
    assert done["after"]["requested_by"] == "the-clerk"
    assert done["after"]["balance_micro"] == 40 * M
    (system,) = await house.rows("SELECT ledger_account, amount_micro FROM system_posting")
    assert tuple(system) == ("money_fixes", -40 * M)
    assert (await house.account(account_id))["supply_desired"] == "on"
    assert await house.broken() == []


async def test_a_small_fix_is_posted_at_once_and_once(house):
    opened = await house.open()
    first = await fix_money(house, opened["account_id"], "5", key="k")
    again = await fix_money(house, opened["account_id"], "5", key="k")
    assert (first.status_code, first.json()) == (201, again.json())
    assert await house.balance(opened) == "5.000000"
    house.clock.at += timedelta(hours=24)
    assert (await fix_money(house, opened["account_id"], "-5.000001")).status_code == 202
    down = await fix_money(house, opened["account_id"], "-5")
    assert (down.status_code, down.json()["state"]) == (201, "posted")
    assert await house.balance(opened) == "0.000000"
    kinds = [entry["action"] for entry in await house.audit_trail("?action=money_fix_posted")]
    assert len(kinds) == 2
    assert await house.broken() == []


async def test_a_rejected_fix_moves_nothing(house):
    opened = await house.open()
    request_id = (await fix_money(house, opened["account_id"], "40")).json()["request_id"]
    rejected = (await decide(house, request_id, "reject", **BOSS)).json()
    assert (rejected["state"], rejected["decided_by"]) == ("rejected", "the-boss")
    assert (await decide(house, request_id, sub="x")).json()["code"] == "request_decided"
    assert await house.balance(opened) == "0.000000"
    waiting = await house.items("/v1/money-requests?state=requested")
    assert waiting == []


async def test_who_waits_for_a_second_person_is_listed(house):
    one, two = await house.open(), await house.open()
    for opened in (one, two, one):
        await fix_money(house, opened["account_id"], "40")
    path = f"/v1/money-requests?state=requested&account_id={one['account_id']}&limit=1"
    first = (await house.get(path)).json()
    second = (await house.get(f"{path}&cursor={first['next_cursor']}")).json()
    seen = [item["account_id"] for page in (first, second) for item in page["items"]]
    assert seen == [one["account_id"]] * 2
    assert second["next_cursor"] is None
    shown = await house.get(f"/v1/money-requests/{first['items'][0]['request_id']}")
    assert shown.json() == first["items"][0]


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [
        (money("0"), 422, "invalid_request"),
        (money("1", "ZAR"), 422, "currency_mismatch"),
    ],
)
async def test_a_wrong_fix_is_refused(house, amount, status, code):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}/money-fixes"
    answer = await house.post(path, {"amount": amount, "reason": "x"}, key="k")
    assert refusal(answer) == (status, code)
    assert await house.rows("SELECT 1 FROM money_request") == []


async def test_every_write_of_staff_leaves_a_trace(house):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}"
    await house.post(f"{path}/protection", {"protected": True}, **BOSS)
    await house.put_policy("standard", {**POLICY, "floor": "-1"}, by="the-clerk")
    await house.pay(opened["account_id"], 50 * M)
    await house.charge((opened, 45 * M))
    customer = {"roles": ("customer",), "customer_id": opened["customer_id"]}
    assert (await house.post(f"{path}/emergency-credit", **customer)).status_code == 200
    await house.post(f"{path}/close", **BOSS)
    seen = [(one["action"], one["subject"], one["by_subject"]) for one in await house.audit_trail()]
    account = f"account:{opened['account_id']}"
    clerk = (await house.audit_trail("?action=account_opened"))[0]["by_subject"]
    assert seen == [
        ("account_closed", account, "the-boss"),
        ("credit_policy_approved", "credit-policy:standard", "the-boss"),
        ("credit_policy_requested", "credit-policy:standard", "the-clerk"),
        ("protection_set", account, "the-boss"),
        ("account_opened", account, clerk),
        ("credit_policy_approved", "credit-policy:standard", "the-boss"),
        ("credit_policy_requested", "credit-policy:standard", "test"),
    ]
    assert (await house.audit_trail("?by=the-boss&limit=1"))[0]["action"] == "account_closed"
    assert (await house.get("/v1/audit-trail", **customer)).status_code == 403
    for statement in ("UPDATE audit_trail SET reason = ''", "DELETE FROM audit_trail"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with house.database.transaction() as conn:
                await conn.execute(text(statement))


async def test_credit_moves_between_accounts_in_one_journal(house):
    one = await house.open()
    two = await house.open(customer=None, customer_id=one["customer_id"])
    await house.pay(one["account_id"], 100 * M)
    path = f"/v1/accounts/{one['account_id']}/transfers"
    body = {"to_account_id": two["account_id"], "amount": money("30"), "reason": "Moves."}
    mine = {"roles": ("customer",), "customer_id": one["customer_id"]}
    moved = await house.post(path, body, key="k", **mine)
    assert (moved.status_code, moved.json()["state"]) == (201, "posted"), moved.text
    assert (await house.post(path, body, key="k", **mine)).json() == moved.json()
    assert [await house.balance(a) for a in (one, two)] == ["70.000000", "30.000000"]
    rows = await house.rows(
        "SELECT DISTINCT journal_id, account_id FROM posting WHERE kind = 'transfer'"
    )
    assert len({row.journal_id for row in rows}) == 1
    assert {row.account_id for row in rows} == {one["account_id"], two["account_id"]}
    too_much = {**body, "amount": money("70.000001")}
    refused = await house.post(path, too_much, key="m", **mine)
    assert refusal(refused) == (409, "not_enough_credit")
    itself = await house.post(path, {**body, "to_account_id": one["account_id"]}, key="s")
    assert refusal(itself) == (422, "same_account")
    stranger = await house.open()
    foreign = {**body, "to_account_id": stranger["account_id"]}
    assert (await house.post(path, foreign, key="f", **mine)).status_code == 404
    asked = await house.post(path, foreign, key="o")
    assert (asked.status_code, asked.json()["state"]) == (202, "requested")
    done = await decide(house, asked.json()["request_id"], **BOSS)
    assert done.json()["moved"]["amount"] == "30.000000"
    assert await house.broken() == []


async def test_moved_credit_repays_emergency_credit_first(house):
    one, two = await house.open(), await house.open()
    for opened in (one, two):
        await house.pay(opened["account_id"], 100 * M)
    await house.charge((two, 95 * M))
    await house.post(f"/v1/accounts/{two['account_id']}/emergency-credit")
    await house.charge((two, 15 * M))
    body = {"to_account_id": two["account_id"], "amount": money("4"), "reason": "A neighbour."}
    path = f"/v1/accounts/{one['account_id']}/transfers"
    assert (await house.post(path, body, key="k")).status_code == 201
    shown = await house.account(two["account_id"])
    assert shown["emergency_credit"]["used"]["amount"] == "6.000000"
    assert shown["balance"]["amount"] == "0.000000"
    assert await house.broken() == []


async def test_p5_a_top_up_for_the_wrong_meter_moves_with_a_second_approval(house):
    wrong, right = await house.open(), await house.open()
    payment = await house.pay(wrong["account_id"], 100 * M)
    asked = await reallocate(house, payment, right, sub="the-clerk")
    assert (asked.status_code, asked.json()["state"]) == (202, "requested"), asked.text
    request = asked.json()
    assert request["amount"]["amount"] == "100.000000"
    assert await house.balance(wrong) == "100.000000"
    own = await decide(house, request["request_id"], sub="the-clerk")
    assert own.json()["code"] == "second_person_required"
    done = (await decide(house, request["request_id"], **BOSS)).json()
    assert (done["state"], done["moved"]["amount"]) == ("posted", "100.000000")
    assert [await house.balance(a) for a in (wrong, right)] == ["0.000000", "100.000000"]
    entries = await house.rows(
        f"SELECT account_id, amount_micro FROM posting WHERE journal_id = '{done['journal_id']}'"  # noqa: S608
    )
    assert sorted(map(tuple, entries)) == [
        (wrong["account_id"], -100 * M),
        (right["account_id"], 100 * M),
    ]
    (journal,) = await house.rows("SELECT payment_id FROM journal WHERE kind = 'transfer'")
    assert journal.payment_id == payment.payment_id
    assert (await house.account(wrong["account_id"]))["supply_desired"] == "off"
    assert (await house.account(right["account_id"]))["supply_desired"] == "on"
    again = await reallocate(house, payment, right, key="again")
    assert refusal(again) == (409, "already_reallocated")
    assert await house.broken() == []


async def test_p5_a_moved_payment_that_is_charged_back_is_taken_from_who_has_it(house):
    right, wrong = await house.open(), await house.open()
    payment = await house.pay(wrong["account_id"], 100 * M)
    await house.charge((wrong, 40 * M))
    request = (await reallocate(house, payment, right)).json()
    await decide(house, request["request_id"], **BOSS)
    await house.charge((right, 50 * M))
    await house.take_back(payment, reason="chargeback")
    shown = [await house.account(one["account_id"]) for one in (wrong, right)]
    assert [one["debt"]["amount"] for one in shown] == ["40.000000", "50.000000"]
    assert [one["balance"]["amount"] for one in shown] == ["0.000000", "0.000000"]
    assert [one["supply_desired"] for one in shown] == ["off", "on"], "grace for who had supply"
    assert await house.broken() == []


async def test_p5_only_the_unspent_part_moves(house):
    wrong, right = await house.open(), await house.open()
    payment = await house.pay(wrong["account_id"], 100 * M)
    await house.charge((wrong, 60 * M))
    request = (await reallocate(house, payment, right)).json()
    assert request["amount"]["amount"] == "40.000000"
    await house.charge((wrong, 10 * M))
    done = (await decide(house, request["request_id"], **BOSS)).json()
    assert done["moved"]["amount"] == "30.000000", "what was used while waiting stays"
    assert [await house.balance(a) for a in (wrong, right)] == ["0.000000", "30.000000"]
    assert await house.broken() == []


async def test_p5_what_was_there_before_does_not_move(house):
    wrong, right = await house.open(), await house.open(opening_debt=money("10"))
    await house.pay(wrong["account_id"], 100 * M)
    payment = await house.pay(wrong["account_id"], 20 * M)
    request = (await reallocate(house, payment, right)).json()
    done = (await decide(house, request["request_id"], **BOSS)).json()
    assert done["moved"]["amount"] == "20.000000"
    assert await house.balance(right) == "20.000000", "its share to debt was taken once"
    assert await house.broken() == []


async def test_p5_nothing_left_is_refused_with_a_reason(house):
    wrong, right = await house.open(), await house.open()
    payment = await house.pay(wrong["account_id"], 100 * M)
    waiting = (await reallocate(house, payment, right)).json()
    await house.charge((wrong, 100 * M))
    late = await decide(house, waiting["request_id"], **BOSS)
    assert refusal(late) == (409, "nothing_left")
    await decide(house, waiting["request_id"], "reject", **BOSS)
    refused = await reallocate(house, payment, right, key="again")
    assert refusal(refused) == (409, "nothing_left")
    reversed_ = await house.pay(wrong["account_id"], 50 * M)
    await house.take_back(reversed_)
    refused = await reallocate(house, reversed_, right, key="reversed")
    assert refusal(refused) == (409, "payment_reversed")
    assert await house.broken() == []
