"""A meter is replaced, somebody moves out, somebody moves in: nothing is lost on the way."""

import pytest
from tests.integration.ledger.acts import BOSS, move_out, request_refund
from tests.integration.ledger.house import M
from tests.support.problems import refusal
from tests.support.values import kwh

from npms_ledger.handlers.note import note_profile
from npms_shared.contracts.meter_gateway import ProfilePublished


async def test_p12_move_out_is_rated_refunded_once_and_closes_at_zero(house):
    opened = await house.open()
    path = f"/v1/accounts/{opened['account_id']}"
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    early = await request_refund(house, opened)
    assert refusal(early) == (409, "account_open")
    left = await move_out(house, opened, (opened["installation_id"], "102.000"))
    assert (left.status_code, left.json()["state"]) == (200, "leaving"), left.text
    assert left.json()["supply_desired"] == "off"
    (closed,) = await house.events("installation_closed")
    assert closed["closing_register_wh"] == 102_000
    pending = await request_refund(house, opened)
    assert refusal(pending) == (409, "final_charge_pending")
    await house.charge((opened, 15 * M))
    pending = await request_refund(house, opened)
    assert pending.json()["code"] == "final_charge_pending", "more may be under way"
    await house.end(opened)
    payable = await request_refund(house, opened, key="k", sub="the-clerk")
    assert payable.status_code == 201, payable.text
    assert (payable.json()["state"], payable.json()["amount"]["amount"]) == ("payable", "75.000000")
    assert (await request_refund(house, opened, key="k", sub="the-clerk")).json() == payable.json()
    second = await request_refund(house, opened)
    assert refusal(second) == (409, "refund_exists")
    shown = (await house.get(path)).json()
    assert (shown["state"], shown["balance"]["amount"]) == ("closed", "0.000000")
    place = f"/v1/refunds/{payable.json()['refund_id']}"
    own = await house.agree(place, "pay", {"reference": "FT1"}, sub="the-clerk")
    assert refusal(own) == (409, "second_person_required")
    paid = await house.agree(place, "pay", {"reference": "FT1"}, **BOSS)
    assert (paid.status_code, paid.json()["state"]) == (200, "paid"), paid.text
    again = await house.agree(place, "pay", {"reference": "FT2"}, **BOSS)
    assert refusal(again) == (409, "refund_paid")
    sums = await house.rows(
        "SELECT ledger_account, sum(amount_micro) AS total FROM system_posting "
        "WHERE ledger_account LIKE 'refunds%' GROUP BY 1"
    )
    assert {row.ledger_account: int(row.total) for row in sums} == {
        "refunds_payable": 0,
        "refunds_paid": 75 * M,
    }
    assert await house.items("/v1/refunds?state=payable") == []
    assert await house.broken() == []


async def test_p12_debt_and_emergency_credit_are_settled_before_the_rest_is_paid(house):
    opened = await house.open(opening_debt={"amount": "50", "currency": "KES"})
    await house.pay(opened["account_id"], 100 * M)
    left = await move_out(house, opened)
    assert left.json()["state"] == "leaving"
    await house.end(opened)
    payable = await request_refund(house, opened)
    assert payable.json()["amount"]["amount"] == "50.000000"
    shown = await house.account(opened["account_id"])
    assert (shown["balance"]["amount"], shown["debt"]["amount"]) == ("0.000000", "0.000000")
    assert await house.broken() == []


async def test_p12_who_owes_gets_nothing_and_who_has_nothing_is_closed_with_the_last_charge(house):
    owing = await house.open(opening_debt={"amount": "50", "currency": "KES"})
    empty = await house.open()
    assert (await move_out(house, owing)).json()["state"] == "leaving"
    assert (await move_out(house, empty)).json()["state"] == "leaving"
    await house.end(owing, empty)
    states = [(await house.account(one["account_id"]))["state"] for one in (owing, empty)]
    assert states == ["leaving", "closed"]
    for opened in (owing, empty):
        answer = await request_refund(house, opened)
        assert refusal(answer) == (409, "nothing_to_refund")
    again = await move_out(house, owing)
    assert refusal(again) == (409, "account_closed")


async def test_a_closing_register_is_where_rating_ended_whatever_was_asked_for(house):
    """A reading was under way when the account was closed at what had been billed."""
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    await move_out(house, opened)
    (closed,) = await house.events("installation_closed")
    assert closed["closing_register_wh"] == 101_000
    await house.charge((opened, 15 * M))
    pending = await request_refund(house, opened)
    assert refusal(pending) == (409, "final_charge_pending")
    await house.end(opened)
    (shown,) = (await house.account(opened["account_id"]))["installations"]
    assert shown["closing_register"]["value"] == "102.000"
    assert shown["rating_ended_at"] is not None
    payable = await request_refund(house, opened)
    assert payable.status_code == 201, payable.text
    assert payable.json()["amount"]["amount"] == "75.000000"
    assert await house.broken() == []


async def test_the_end_of_rating_told_before_a_lost_charge_leaves_the_refund_waiting(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await move_out(house, opened)
    await house.end(opened, register_wh=101_000)
    assert (await request_refund(house, opened)).json()["code"] == "final_charge_pending"
    await house.charge((opened, 10 * M))
    assert (await request_refund(house, opened)).status_code == 201


async def test_a_final_register_below_what_was_billed_is_refused(house):
    opened, other = await house.open(), await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, M))
    low = await move_out(house, opened, (opened["installation_id"], "100.999"))
    assert refusal(low) == (422, "register_below_billed")
    foreign = await move_out(house, opened, (other["installation_id"], "200"))
    assert foreign.status_code == 404
    assert (await house.account(opened["account_id"]))["state"] == "open"


async def test_move_in_opens_a_new_account_on_the_same_usage_point(house):
    first = await house.open()
    point = {"usage_point": None, "usage_point_id": first["usage_point_id"]}
    occupied = await house.post("/v1/accounts", house.request(**point), key="o")
    assert refusal(occupied) == (409, "usage_point_occupied")
    await move_out(house, first)
    meter = (await house.account(first["account_id"]))["installations"][0]["meter"]
    second = await house.open(**point, meter=meter, opening_register=kwh("100.000"))
    assert second["usage_point_id"] == first["usage_point_id"]
    assert second["account_id"] != first["account_id"]
    unknown = house.request(usage_point=None, usage_point_id=999)
    answer = await house.post("/v1/accounts", unknown, key="u")
    assert refusal(answer) == (422, "unknown_usage_point")
    both = {**house.request(), "usage_point_id": first["usage_point_id"]}
    answer = await house.post("/v1/accounts", both, key="b")
    assert answer.json()["errors"][0]["code"] == "usage_point_or_usage_point_id"
    assert await house.broken() == []


def swap_body(serial: str, closing: str, unit_id: int = 200) -> dict:
    meter = {
        "serial": serial,
        "profile": "p1",
        "host": "127.0.0.1",
        "port": 5020,
        "unit_id": unit_id,
    }
    return {
        "closing_register": kwh(closing),
        "meter": meter,
        "opening_register": kwh("0.500"),
        "reason": "Burnt terminal.",
    }


async def test_r7_a_meter_swap_never_compares_registers(house):
    opened = await house.open(customer_class="indigent")
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    account_id, old_id = opened["account_id"], opened["installation_id"]
    path = f"/v1/accounts/{account_id}/installations/{old_id}/swap"
    swapped = await house.post(path, swap_body("NEW-1", "102.000"))
    assert swapped.status_code == 201, swapped.text
    new_id_ = swapped.json()["installation_id"]
    (closed,) = await house.events("installation_closed")
    assert (closed["installation_id"], closed["closing_register_wh"]) == (old_id, 102_000)
    event = (await house.events("installation_opened"))[-1]
    assert event["replaces_installation_id"] == old_id
    assert (event["installation_id"], event["opening_register_wh"]) == (new_id_, 500)
    assert (event["usage_point_id"], event["plan_code"]) == (opened["usage_point_id"], "household")
    assert (event["customer_class"], event["meter"]["serial"]) == ("indigent", "NEW-1")
    names = [one["event"] for one in await house.events()][-3:]
    assert names == ["installation_closed.v1", "installation_opened.v1", "supply_desired.v1"]
    desired = (await house.events("supply_desired"))[-1]
    assert (desired["installation_id"], desired["state"], desired["revision"]) == (new_id_, "on", 1)
    await house.charge((opened, 7 * M))
    house.registers[new_id_] = 500
    await house.charge(({**opened, "installation_id": new_id_}, 3 * M))
    shown = await house.account(account_id)
    assert shown["balance"]["amount"] == "80.000000"
    assert [one["closed_at"] is None for one in shown["installations"]] == [False, True]
    again = await house.post(path, swap_body("NEW-2", "103.000", unit_id=201))
    assert refusal(again) == (409, "installation_closed")
    assert await house.broken() == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"closing_register": kwh("100.999")}, 422, "register_below_billed"),
        ({"meter": {**swap_body("X", "1")["meter"], "profile": "none"}}, 422, "unknown_profile"),
        (
            {"meter": {**swap_body("X", "1")["meter"], "serial": "M2"}},
            409,
            "meter_already_installed",
        ),
    ],
)
async def test_r7_a_wrong_swap_changes_nothing(house, changes, status, code):
    opened, _other = await house.open(), await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, M))
    path = f"/v1/accounts/{opened['account_id']}/installations/{opened['installation_id']}/swap"
    answer = await house.post(path, {**swap_body("NEW-1", "102.000"), **changes})
    assert refusal(answer) == (status, code), answer.text
    assert await house.events("installation_closed") == []
    other = f"/v1/accounts/{_other['account_id']}/installations/{opened['installation_id']}/swap"
    assert (await house.post(other, swap_body("NEW-1", "102.000"))).status_code == 404


async def test_r11_a_new_transformer_ratio_counts_from_its_instant_on(house):
    """The same meter, read from then on by a profile whose scale has the new ratio in it."""
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    async with house.database.transaction() as conn:
        await note_profile(
            conn, ProfilePublished(profile="p1-ct40", vendor="v", model="m", has_relay=True)
        )
    meter = (await house.account(opened["account_id"]))["installations"][0]["meter"]
    path = f"/v1/accounts/{opened['account_id']}/installations/{opened['installation_id']}/swap"
    body = swap_body("x", "102.000") | {
        "meter": {**meter, "profile": "p1-ct40"},
        "opening_register": kwh("4080.000"),
        "reason": "Transformers of 200/5 A.",
    }
    answer = await house.post(path, body)
    assert answer.status_code == 201, answer.text
    (closed,) = await house.events("installation_closed")
    event = (await house.events("installation_opened"))[-1]
    assert event["opened_at"] == closed["closed_at"], "no moment has two ratios, or none"
    assert (closed["closing_register_wh"], event["opening_register_wh"]) == (102_000, 4_080_000)
    assert event["meter"] == {**meter, "profile": "p1-ct40"}
    assert event["replaces_installation_id"] == opened["installation_id"]
    await house.charge((opened, 7 * M))
    house.registers[event["installation_id"]] = 4_080_000
    await house.charge(({**opened, "installation_id": event["installation_id"]}, 3 * M))
    assert (await house.account(opened["account_id"]))["balance"]["amount"] == "80.000000"
    assert await house.broken() == []


async def test_r7_the_same_meter_may_come_back_to_its_place(house):
    """Its register was read anew after a repair."""
    opened = await house.open()
    meter = (await house.account(opened["account_id"]))["installations"][0]["meter"]
    path = f"/v1/accounts/{opened['account_id']}/installations/{opened['installation_id']}/swap"
    body = {**swap_body("x", "100.000"), "meter": meter}
    assert (await house.post(path, body)).status_code == 201
