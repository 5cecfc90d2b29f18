"""Accounts over REST: one call opens everything; what is wrong is said so; others see nothing."""

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

from npms_shared.contracts.tariff import PlanVersionActivated
from npms_shared.ids import new_id


async def test_one_call_opens_everything_and_tells(house):
    opened = await house.open()
    assert opened == {
        "account_id": 1,
        "customer_id": 1,
        "usage_point_id": 1,
        "installation_id": 1,
        "credit_policy": "standard",
        "supply": "off",
        "reason": "no_credit",
        "credit_request_id": None,
    }
    account, installation, supply = await house.events()
    assert (account["event"], account["contacts"]) == (
        "account_opened.v1",
        [{"channel": "sms", "address": "+254700000001"}],
    )
    assert installation["event"] == "installation_opened.v1"
    assert installation["opening_register_wh"] == 100_000
    assert installation["meter"]["profile"] == "p1"
    assert supply["event"] == "supply_desired.v1"
    assert (supply["state"], supply["revision"], supply["reason"]) == ("off", 1, "no_credit")
    assert await house.broken() == []


async def test_the_account_shows_what_it_has(house):
    opened = await house.open(opening_debt={"amount": "40", "currency": "KES"})
    shown = await house.account(opened["account_id"])
    assert shown["balance"] == {"amount": "0.000000", "currency": "KES"}
    assert shown["debt"]["amount"] == "40.000000"
    assert shown["amount_to_clear"]["amount"] == "0.000001"
    assert shown["emergency_credit"]["state"] == "enabled"
    assert shown["supply"][0]["desired"]["state"] == "off"
    assert shown["supply"][0]["reported"] is None
    assert shown["installations"][0]["meter"]["serial"] == "M1"
    assert await house.broken() == []


async def test_the_same_key_opens_once(house):
    request = house.request()
    first = await house.post("/v1/accounts", request, key="k")
    again = await house.post("/v1/accounts", request, key="k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = await house.post("/v1/accounts", house.request(), key="k")
    assert other.status_code == 409
    keyless = await house.post("/v1/accounts", house.request())
    assert keyless.status_code == 400


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan_code": "none"}, "unknown_plan"),
        ({"credit_policy": "none"}, "unknown_credit_policy"),
        ({"customer": None, "customer_id": 99}, "unknown_customer"),
        ({"currency": "ZAR"}, "currency_mismatch"),
        (
            {"credit_policy": {**POLICY, "low_balance": [{"at": "0", "rearm": "1"}]}},
            "policy_not_above_floor",
        ),
    ],
)
async def test_what_is_unknown_or_contradictory_is_refused(house, changes, code):
    answer = await house.post("/v1/accounts", house.request(**changes), key="k")
    assert refusal(answer) == (422, code)
    assert await house.events() == []


async def test_a_plan_of_another_commodity_or_not_in_force_is_refused_at_the_opening(house):
    """Else the meter would be billed by nobody: tariff parks such an installation for ever."""

    async def tell(plan_code: str, **changes: Any) -> None:
        number = next(house.numbers) + 100
        event = PlanVersionActivated(
            **{
                "plan_code": plan_code,
                "version": 1,
                "plan_version_id": number,
                "currency": "KES",
                "valid_from": house.clock.now(),
                **changes,
            }
        )
        await house.receive("ledger.catalogue", event)

    async def ask(**changes: Any) -> tuple[int, str]:
        answer = await house.post("/v1/accounts", house.request(**changes), key=str(new_id()))
        return answer.status_code, answer.json().get("code", "")

    water = {"label": "House 7", "max_power_w": 1, "commodity": "water"}
    await tell("taps", commodity="water")
    await tell("lamps", commodity="electricity")
    await tell("soon", commodity="electricity", valid_from=house.clock.now() + timedelta(hours=1))
    assert await ask(plan_code="taps") == (422, "commodity_mismatch")
    assert await ask(plan_code="soon") == (422, "plan_not_in_force")
    assert await house.events() == []
    assert await ask(usage_point=water) == (201, ""), "what household is for was never told"
    opened = await house.open(plan_code="taps", usage_point=water)
    left = await house.post(f"/v1/accounts/{opened['account_id']}/move-out", {"reason": "moved"})
    assert left.status_code == 200, left.text
    there = {"usage_point": None, "usage_point_id": opened["usage_point_id"]}
    assert await ask(**there, plan_code="lamps") == (422, "commodity_mismatch")
    assert await ask(**there, plan_code="taps") == (201, "")
    house.clock.advance(timedelta(hours=1))
    assert await ask(plan_code="soon") == (201, "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"time_zone": "Mars/Olympus"}, "unknown_time_zone"),
        ({"opening_register": {"value": "-1"}}, "negative_register"),
        ({"opening_register": {"value": "1.0001"}}, "too_many_decimals"),
        ({"opening_debt": {"amount": "-1", "currency": "KES"}}, "negative_debt"),
        ({"opening_debt": {"amount": "1.1234567", "currency": "KES"}}, "too_many_decimals"),
        ({"customer_id": 1}, "customer_or_customer_id"),
    ],
)
async def test_a_wrong_form_names_the_place(house, changes, code):
    answer = await house.post("/v1/accounts", house.request(**changes), key="k")
    assert answer.status_code == 422, answer.text
    assert code in [error["code"] for error in answer.json()["errors"]]


async def test_an_unknown_profile_is_refused(house):
    request = house.request()
    request["meter"]["profile"] = "none"
    answer = await house.post("/v1/accounts", request, key="k")
    assert refusal(answer) == (422, "unknown_profile")


async def test_a_meter_serves_one_installation(house):
    request = house.request()
    await house.post("/v1/accounts", request, key="a")
    same = {**house.request(), "meter": {**request["meter"], "unit_id": 99}}
    answer = await house.post("/v1/accounts", same, key="b")
    assert refusal(answer) == (409, "meter_already_installed")
    beside = {**house.request(), "meter": {**request["meter"], "serial": "other"}}
    answer = await house.post("/v1/accounts", beside, key="c")
    assert refusal(answer) == (409, "meter_address_taken")


async def test_a_second_account_of_a_known_customer(house):
    first = await house.open()
    second = await house.open(customer=None, customer_id=first["customer_id"])
    assert second["customer_id"] == first["customer_id"]
    mine = await house.get("/v1/accounts", roles=("customer",), customer_id=first["customer_id"])
    assert [item["account_id"] for item in mine.json()["items"]] == [1, 2]


async def test_a_customer_sees_only_what_is_theirs(house):
    mine, theirs = await house.open(), await house.open()
    me = {"roles": ("customer",), "customer_id": mine["customer_id"]}
    assert (await house.get(f"/v1/accounts/{mine['account_id']}", **me)).status_code == 200
    for path in ("", "/supply", "/statement"):
        answer = await house.get(f"/v1/accounts/{theirs['account_id']}{path}", **me)
        assert answer.status_code == 404
    answer = await house.post(f"/v1/accounts/{theirs['account_id']}/emergency-credit", **me)
    assert answer.status_code == 404
    answer = await house.post("/v1/accounts", house.request(), key="k", **me)
    assert answer.status_code == 403
    listed = await house.get("/v1/accounts", **me)
    assert [item["account_id"] for item in listed.json()["items"]] == [mine["account_id"]]


async def test_lists_go_on_by_cursor(house):
    for _ in range(3):
        await house.open()
    first = (await house.get("/v1/accounts?limit=2")).json()
    rest = (await house.get(f"/v1/accounts?limit=2&cursor={first['next_cursor']}")).json()
    assert [item["account_id"] for item in first["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert (await house.get("/v1/accounts?cursor=nonsense")).status_code == 422


async def test_protection_switches_on_and_off(house):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}/protection"
    answer = await house.post(path, {"protected": True})
    assert (answer.json()["supply_desired"], answer.json()["supply_reason"]) == ("on", "protected")
    await house.post(path, {"protected": False})
    states = [(s["state"], s["revision"]) for s in await house.events("supply_desired")]
    assert states == [("off", 1), ("on", 2), ("off", 3)]
    assert await house.broken() == []


async def test_a_closed_account_is_off_and_its_meter_free(house):
    request = house.request()
    opened = (await house.post("/v1/accounts", request, key="a")).json()
    await house.pay(opened["account_id"], 10 * M)
    house.registers[opened["installation_id"]] = 100_000
    await house.charge((opened, M))
    answer = await house.post(f"/v1/accounts/{opened['account_id']}/close")
    assert (answer.json()["state"], answer.json()["supply_desired"]) == ("closed", "off")
    (closed,) = await house.events("installation_closed")
    assert closed["closing_register_wh"] == 101_000
    assert len(await house.events("account_closed")) == 1
    again = await house.post(f"/v1/accounts/{opened['account_id']}/close")
    assert refusal(again) == (409, "account_closed")
    moved = await house.post(
        "/v1/accounts", {**house.request(), "meter": request["meter"]}, key="b"
    )
    assert moved.status_code == 201
    assert await house.broken() == []


async def test_policies_are_versions(house):
    shown = (await house.get("/v1/credit-policies/standard")).json()
    assert (shown["version"], shown["floor"]) == (1, "0.000000")
    same = (await house.put("/v1/credit-policies/standard", POLICY)).json()
    assert same["version"] == 1
    await house.put_policy("standard", {**POLICY, "floor": "-30"}, by="the-clerk")
    raised = (await house.get("/v1/credit-policies/standard")).json()
    assert (raised["version"], raised["written_by"]) == (2, "the-clerk")
    assert raised["approved_by"] == "the-boss"
    assert (await house.get("/v1/credit-policies/none")).status_code == 404
    other = await house.put("/v1/credit-policies/standard", {**POLICY, "currency": "ZAR"})
    assert refusal(other) == (422, "currency_mismatch")


async def test_a_new_policy_reaches_accounts_already_open(house):
    opened = await house.open()
    await house.put_policy("standard", {**POLICY, "floor": "-30"})
    assert await house.decide() == 1
    assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
    assert await house.broken() == []


async def test_a_charge_decided_by_the_old_policy_leaves_the_mark_of_the_new(house):
    opened = await house.open()
    await house.put_policy("standard", {**POLICY, "floor": "-30"})
    await house.pay(opened["account_id"], M)
    await house.charge((opened, M))
    assert await house.decide() == 1
    assert await house.decide() == 0
    assert await house.broken() == []


async def test_a_policy_of_its_own_comes_with_the_account(house):
    friendly = [{"days": ["wed"], "from": "14:00", "to": "16:00"}]
    own = {**POLICY, "friendly_hours": friendly, "emergency": None}
    answer = await house.post("/v1/accounts", house.request(credit_policy=own), key="k")
    opened = answer.json()
    assert opened["credit_policy"] == "account-1"
    assert (opened["supply"], opened["reason"]) == ("on", "friendly_hours")
    shown = (await house.get("/v1/credit-policies/account-1")).json()
    assert shown["friendly_hours"] == [{"days": ["wed"], "from": "14:00:00", "to": "16:00:00"}]


async def test_a_customer_class_is_told_with_the_installation(house):
    opened = await house.open(customer_class="indigent")
    (event,) = await house.events("installation_opened")
    assert (event["customer_class"], event["replaces_installation_id"]) == ("indigent", None)
    assert (await house.account(opened["account_id"]))["customer_class"] == "indigent"
