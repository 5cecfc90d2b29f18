"""Money moves only under an Idempotency-Key, and never by an amount that is none."""

from typing import Any

import pytest
from tests.integration.rest.five import SERVICES, Five, Operation, bodies, operations

MONEY = {
    "open_account",
    "order_top_up",
    "redeem_voucher",
    "record_payment",
    "make_voucher_batch",
    "allocate_suspense",
    "return_suspense",
    "fix_money",
    "transfer_credit",
    "reallocate_payment",
    "add_debt",
    "grant_credit",
    "request_refund",
}
NO_MONEY = {
    "accept_emergency_credit": "lends what was offered; a second time it is offered no more: 409",
    "protect_account": "sets a mark",
    "restore_supply": "lets a relay be worked toward what is desired; again is refused",
    "resume_supply_openings": "lets openings go on; again is refused",
    "accept_serial": "pins the number that the meter shows; the same again changes nothing",
    "approve_correction": "a second time: 409",
    "reject_correction": "a second time: 409",
    "approve_mass_cut": "a second time: 409",
    "reject_mass_cut": "a second time: 409",
    "end_grant": "a second time: 409",
    "finish_review_task": "a second time: 409",
    "keep_supply_on": "a later word replaces an earlier one",
    "request_correction": "waits for a second person",
    "preview_correction": "looks only",
    "foresee_cuts_of_policy": "looks only",
    "swap_meter": "registers; a second time: 409",
    "move_out": "what is left stays owed; a second time: 409",
    "pay_refund": "a second time: 409",
    "approve_money_request": "a second time: 409",
    "reject_money_request": "a second time: 409",
    "approve_credit_policy_request": "a second time: 409",
    "reject_credit_policy_request": "a second time: 409",
    "release_billing_hold": "a second time: 409",
    "close_account": "what is left stays owed; a second time: 409",
    "print_voucher_batch": "a second time: 409",
    "activate_voucher_batch": "sets a mark; a second time: 409",
    "reject_voucher_batch": "a second time: 409",
    "receive_webhook": "counts once by the provider's id",
    "replay_parked_message": "heard once by its id; a second time: 409",
    "drop_parked_message": "a second time: 409",
    "retry_unroutable_message": "heard once by its id; a second time: 409",
    "drop_unroutable_message": "a second time: 409",
    "create_plan": "a second time: 409",
    "add_plan_version": "prices, no money; a draft is numbered",
    "activate_plan_version": "a second time: 409",
    "simulate_plan": "reads only",
    "quote_units": "a trial: reads only",
    "record_readings": "counts once by installation and moment",
    "import_readings": "counts once by installation and moment",
    "read_meter": "looks, and records as every poll does",
    "change_ratio": "a later word replaces an earlier one",
    "release_held_reading": "a second time: 409",
    "correct_held_reading": "a second time: 409",
    "reject_held_reading": "a second time: 409",
    "open_ticket": "words",
    "write_ticket_message": "words",
    "confirm_contact": "a second time: 409",
    "resend_contact_code": "so many a day; the code before is not good any more",
    "close_ticket": "sets a mark",
}
AMOUNTS = [
    ("order_top_up", "amount", "0", "amount_zero"),
    ("order_top_up", "amount", "-1", "amount_negative"),
    ("order_top_up", "amount", "100000.000001", "amount_above_limit"),
    ("record_payment", "amount", "0", "amount_zero"),
    ("record_payment", "amount", "-0.000001", "amount_negative"),
    ("record_payment", "amount", "100000.01", "amount_above_limit"),
    ("make_voucher_batch", "value", "0", "amount_zero"),
    ("make_voucher_batch", "value", "-5", "amount_negative"),
    ("make_voucher_batch", "value", "100001", "amount_above_limit"),
]
NO_AMOUNTS = [
    ("1.0000001", "too_many_decimals"),
    ("1000000000.000001", "amount_too_large"),
    ("9999999999999999", "not_an_amount"),
    ("1,5", "not_an_amount"),
    ("1e3", "not_an_amount"),
    ("NaN", "not_an_amount"),
    ("١٢", "not_an_amount"),
    ("", "not_an_amount"),
]
WITH_AMOUNTS = [
    ("open_account", "opening_debt"),
    ("order_top_up", "amount"),
    ("record_payment", "amount"),
    ("make_voucher_batch", "value"),
    ("fix_money", "amount"),
    ("transfer_credit", "amount"),
]


def posts(five: Five) -> dict[str, Operation]:
    return {
        op.name: op
        for service in SERVICES
        for op in operations(service, five.openapi[service])
        if op.method == "POST"
    }


async def test_what_moves_money_needs_a_key(five: Five) -> None:
    found = posts(five)
    assert set(found) == MONEY | set(NO_MONEY)
    for name in MONEY:
        op = found[name]
        path = op.path_with(account_id=five.theirs)
        for given in ({}, {"Idempotency-Key": ""}):
            headers = {**five.as_staff(), **given}
            answer = await five.call(
                op.service, "POST", path, bodies()[name], headers=headers, key=""
            )
            assert answer.status_code == 400, name
            assert answer.json()["code"] == "idempotency_key_missing", name
        answer = await five.call(op.service, "POST", path, bodies()[name], key="k" * 201)
        assert answer.status_code == 422, name


async def _pay(five: Five, name: str, changes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    op = posts(five)[name]
    body = {**bodies()[name], **changes}
    answer = await five.call(op.service, "POST", op.path_with(account_id=five.theirs), body)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("name", "field", "amount", "code"), AMOUNTS)
async def test_an_amount_outside_the_limits_is_refused_with_a_code(
    five: Five, name: str, field: str, amount: str, code: str
) -> None:
    money = {"amount": amount, "currency": "KES"}
    status, answer = await _pay(five, name, {field: money})
    assert (status, answer["code"]) == (422, code)


@pytest.mark.parametrize(("name", "field"), WITH_AMOUNTS)
@pytest.mark.parametrize(("amount", "code"), NO_AMOUNTS)
async def test_what_is_no_amount_is_pointed_at(
    five: Five, name: str, field: str, amount: str, code: str
) -> None:
    money = {"amount": amount, "currency": "KES"}
    status, answer = await _pay(five, name, {field: money})
    assert (status, answer["code"]) == (422, "invalid_request")
    [error] = answer["errors"]
    assert (error["pointer"], error["code"]) == (f"/{field}/amount", code)


async def test_a_debt_is_not_negative(five: Five) -> None:
    debt = {"opening_debt": {"amount": "-1", "currency": "KES"}}
    status, answer = await _pay(five, "open_account", debt)
    assert (status, answer["errors"][0]["code"]) == (422, "negative_debt")
