"""Whatever moves money in the ledger takes two people, and the second approves what they saw."""

import asyncio

from tests.integration.ledger.acts import BOSS, fix_money
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal
from tests.support.values import money

from npms_shared.ids import new_id

FREE = {"label": "free units", "amount": money("5"), "reason": "register"}


async def test_small_fixes_of_one_person_count_together_for_a_day(house):
    opened = await house.open()
    answers = [await fix_money(house, opened["account_id"], "1", sub="the-clerk") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [202]
    assert (await fix_money(house, opened["account_id"], "1", sub="another")).status_code == 201
    assert await house.balance(opened) == "6.000000"
    assert await house.broken() == []


async def test_two_requests_at_once_do_not_both_pass_the_limit_of_the_day(house):
    homes = [await house.open() for _ in range(8)]
    answers = await asyncio.gather(
        *(fix_money(house, home["account_id"], "3", sub="the-clerk") for home in homes)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [202] * 7


async def test_fixes_transfers_and_grants_share_the_limit_of_the_day(house):
    one, two = await house.open(), await house.open()
    await house.pay(one["account_id"], 50 * M)
    clerk = {"sub": "the-clerk"}
    assert (await fix_money(house, one["account_id"], "-2", **clerk)).status_code == 201
    move = {"to_account_id": two["account_id"], "amount": money("2"), "reason": "A neighbour."}
    path = f"/v1/accounts/{one['account_id']}"
    assert (await house.post(f"{path}/transfers", move, key="t", **clerk)).status_code == 201
    grant = {**FREE, "amount": money("2")}
    asked = await house.post(f"{path}/credits", grant, key="g", **clerk)
    assert (asked.status_code, asked.json()["kind"]) == (202, "grant")


async def test_a_grant_above_the_limit_waits_and_is_granted_with_its_terms(house):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}/credits"
    body = {**FREE, "amount": money("40"), "ends_at": "2026-12-31T21:00:00Z", "priority": 3}
    asked = await house.post(path, body, key="k", sub="the-clerk")
    assert (asked.status_code, asked.json()["state"]) == (202, "requested")
    assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
    place = f"/v1/money-requests/{asked.json()['request_id']}"
    assert refusal(await house.agree(place, sub="the-clerk")) == (409, "second_person_required")
    assert (await house.agree(place)).json()["state"] == "posted"
    granted = (await house.items(path))[0]
    assert (granted["label"], granted["available"]) == ("free units", money("40.000000"))
    assert (granted["priority"], granted["ends_at"]) == (3, "2026-12-31T21:00:00Z")
    assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
    actions = [
        one["action"] for one in await house.audit_trail(f"?subject=account:{opened['account_id']}")
    ]
    assert actions[:2] == ["grant_approved", "grant_requested"]
    assert await house.broken() == []


async def test_what_is_granted_anew_each_month_takes_two_however_small(house):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}/credits"
    asked = await house.post(path, {**FREE, "monthly": True}, key="k")
    assert asked.status_code == 202


async def test_opening_credit_by_hand_waits_for_a_second_person(house):
    request = house.request(opening_credit=money("50"), opening_debt=money("20"))
    opened = (await house.post("/v1/accounts", request, key="k", sub="the-clerk")).json()
    assert (opened["supply"], opened["reason"]) == ("off", "no_credit")
    place = f"/v1/money-requests/{opened['credit_request_id']}"
    assert refusal(await house.agree(place, sub="the-clerk")) == (409, "second_person_required")
    assert (await house.agree(place)).json()["state"] == "posted"
    assert await house.balance(opened) == "50.000000"
    assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
    rows = await house.rows(
        "SELECT ledger_account, sum(amount_micro) AS total FROM system_posting GROUP BY 1"
    )
    assert {row.ledger_account: int(row.total) for row in rows} == {
        "opening_debt": 20 * M,
        "opening_credit": -50 * M,
    }
    assert await house.broken() == []


async def test_a_policy_changes_by_two_people_and_only_as_it_was_seen(house):
    path, lower = "/v1/credit-policies/standard", {**POLICY, "floor": "-1000"}
    asked = await house.client.put(path, json=lower, headers=house.headers(subject="the-clerk"))
    assert (asked.status_code, asked.json()["replaces_version"]) == (202, 1)
    again = await house.client.put(path, json=lower, headers=house.headers(subject="the-clerk"))
    assert again.json()["request_id"] == asked.json()["request_id"]
    assert (await house.get(path)).json()["floor"] == "0.000000"
    place = f"/v1/credit-policy-requests/{asked.json()['request_id']}"
    assert refusal(await house.agree(place, sub="the-clerk")) == (409, "second_person_required")
    seen = (await house.get(place)).headers["ETag"]
    await house.put_policy("standard", {**POLICY, "floor": "-5"}, by="another")
    late = await house.post(f"{place}/approve", {"reason": "seen"}, if_match=seen, **BOSS)
    assert refusal(late) == (412, "precondition_failed")
    assert (await house.agree(place)).json()["version"] == 3
    assert (await house.get(path)).json()["floor"] == "-1000.000000"
    waiting = (await house.get("/v1/credit-policy-requests?state=requested")).json()
    assert waiting["items"] == []


async def test_a_policy_request_is_taken_back_by_who_asked(house):
    asked = await house.put("/v1/credit-policies/standard", {**POLICY, "floor": "-1000"})
    place = f"/v1/credit-policy-requests/{asked.json()['request_id']}"
    taken = await house.agree(place, "reject", subject="somebody")
    assert (taken.status_code, taken.json()["state"]) == (200, "rejected")
    assert refusal(await house.agree(place)) == (409, "request_decided")


async def test_an_own_policy_lends_no_more_than_one_person_may_move(house):
    lending = {**POLICY, "emergency": None, "floor": "-3"}
    own = house.request(credit_policy=lending)
    assert (await house.post("/v1/accounts", own, key="k")).status_code == 201
    refused = await house.post("/v1/accounts", house.request(credit_policy=lending), key="l")
    assert refusal(refused) == (409, "second_person_required")
    generous = house.request(credit_policy={**lending, "floor": "-1000"})
    refused = await house.post("/v1/accounts", generous, key="m", sub="another")
    assert refusal(refused) == (409, "second_person_required")


async def test_who_asked_takes_it_back_and_an_approval_names_what_it_saw(house):
    opened = await house.open()
    asked = [
        (await fix_money(house, opened["account_id"], amount, sub="the-clerk")).json()["request_id"]
        for amount in ("40", "60")
    ]
    small, large = (f"/v1/money-requests/{request_id}" for request_id in asked)
    unseen = await house.post(f"{large}/approve", {"reason": "seen"}, **BOSS)
    assert refusal(unseen) == (428, "precondition_required")
    for wrong in ((await house.get(small)).headers["ETag"], '"x"', "x", 'W/"x"'):
        other = await house.post(f"{large}/approve", {"reason": "seen"}, if_match=wrong, **BOSS)
        assert refusal(other) == (412, "precondition_failed")
    anything = await house.post(f"{large}/approve", {"reason": "seen"}, if_match="*", **BOSS)
    assert refusal(anything) == (428, "precondition_required")
    taken = await house.agree(large, "reject", sub="the-clerk")
    assert (taken.status_code, taken.json()["state"]) == (200, "rejected")
    assert await house.balance(opened) == "0.000000"


async def test_a_refund_is_paid_only_as_it_was_seen(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 75 * M)
    path = f"/v1/accounts/{opened['account_id']}"
    await house.post(f"{path}/move-out", {"final_readings": [], "reason": "Moves."})
    await house.end(opened)
    body = {"payee": "A. Otieno", "reason": "Moved out."}
    asked = await house.post(f"{path}/refund", body, key=str(new_id()), sub="the-clerk")
    place = f"/v1/refunds/{asked.json()['refund_id']}"
    unseen = await house.post(f"{place}/pay", {"reference": "FT1"}, **BOSS)
    assert refusal(unseen) == (428, "precondition_required")
    wrong = await house.post(f"{place}/pay", {"reference": "FT1"}, if_match='"x"', **BOSS)
    assert refusal(wrong) == (412, "precondition_failed")
