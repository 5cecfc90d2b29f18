"""Online top-ups with a provider that calls back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.payments.conftest import House

from npms_payments.domain import webhooks
from npms_payments.handlers.context import Context
from npms_payments.handlers.resolve_orders import resolve_due
from npms_shared.clock import wall_now
from npms_shared.ids import new_id

REVERSED = "npms.payments.payment_reversed.v1"


async def order(house: House, amount: str = "100") -> dict[str, Any]:
    """An order on account 1 that waits to be paid."""
    await house.open_account(1)
    answer = await house.top_up(1, amount)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def at_provider(
    house: House, made: dict[str, Any], step: str = "pay", **outcome: Any
) -> dict[str, Any]:
    reference = made["checkout"]["reference"]
    answer = await house.sim.post(f"/checkouts/{reference}/{step}", json=outcome)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def outcomes(answer: dict[str, Any]) -> list[Any]:
    return [delivery["answer"].get("outcome") for delivery in answer["deliveries"]]


async def send(house: House, body: Any, *, event_id: str = "") -> Any:
    """A webhook signed as the provider would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    event_id = event_id or f"msg_{new_id()}"
    at_s = int(house.clock.wall_now().timestamp())
    signature = webhooks.sign(
        webhooks.Secret.parse(house.secret), message_id=event_id, timestamp_s=at_s, body=raw
    )
    headers = {
        webhooks.ID: event_id,
        webhooks.TIMESTAMP: str(at_s),
        webhooks.SIGNATURE: signature,
    }
    return await house.api.post("/v1/webhooks/paysim", content=raw, headers=headers)


def event(made: dict[str, Any], status: str = "paid", **changes: Any) -> dict[str, Any]:
    data = {
        "reference": made["checkout"]["reference"],
        "merchant_order": made["payment_id"],
        "status": status,
        "amount": made["amount"]["amount"],
        "currency": "KES",
        "transaction_id": "tx_1",
        **changes,
    }
    return {"type": f"checkout.{status}", "timestamp": "", "data": data}


def resolver(house: House) -> Callable[[], Awaitable[int]]:
    """The loop's body, as the worker would run it."""
    [loop] = house.service.loops
    context: Context = loop.args[0]  # type: ignore[attr-defined]
    return lambda: resolve_due(context)


async def test_an_order_is_paid_and_told(house: House) -> None:
    made = await order(house)
    assert made["state"] == "pending"
    assert made["checkout"]["url"].endswith(f"/pay/{made['checkout']['reference']}")
    answer = await at_provider(house, made)
    assert outcomes(answer) == ["settled"]
    paid = await house.payment(made["payment_id"])
    assert (paid["state"], paid["reference"]) == ("settled", answer["transaction_id"])
    assert paid["source"] == "online:paysim"
    [told] = await house.told()
    assert (told["amount_micro"], told["source"]) == (100_000_000, "online:paysim")
    settled = (await house.sim.get("/settled")).json()
    assert [s["transaction_id"] for s in settled] == [paid["reference"]]


async def test_a_webhook_sent_twice_counts_once(house: House) -> None:
    made = await order(house)
    assert outcomes(await at_provider(house, made, webhook="twice")) == ["settled", "duplicate"]
    assert outcomes(await at_provider(house, made, "repeat")) == ["duplicate"]
    assert len(await house.told()) == 1


async def test_a_webhook_twenty_times_at_once_counts_once(house: House) -> None:
    made = await order(house)
    answers = await asyncio.gather(
        *(send(house, event(made), event_id="msg_same") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    said = [answer.json()["outcome"] for answer in answers]
    assert (said.count("settled"), said.count("duplicate")) == (1, 19)
    assert len(await house.told()) == 1


async def test_one_movement_of_money_under_twenty_event_ids_counts_once(house: House) -> None:
    made = await order(house)
    answers = await asyncio.gather(*(send(house, event(made)) for _ in range(20)))
    said = [answer.json()["outcome"] for answer in answers]
    assert (said.count("settled"), said.count("duplicate")) == (1, 19)
    assert await house.count("arrival") == 1


@pytest.mark.parametrize(
    ("manner", "code"),
    [
        ("wrong_signature", "webhook_wrong_signature"),
        ("unsigned", "webhook_missing_header"),
        ("late", "webhook_too_old"),
    ],
)
async def test_a_webhook_not_to_be_trusted_is_refused(house: House, manner: str, code: str) -> None:
    made = await order(house)
    [delivery] = (await at_provider(house, made, webhook=manner))["deliveries"]
    assert (delivery["status"], delivery["answer"]["code"]) == (401, code)
    assert (await house.payment(made["payment_id"]))["state"] == "pending"
    assert await house.count("provider_event") == 0
    assert outcomes(await at_provider(house, made, "repeat")) == ["settled"]


async def test_a_lost_webhook_is_asked_for(house: House) -> None:
    made = await order(house)
    await at_provider(house, made, webhook="never")
    resolve = resolver(house)
    assert await resolve() == 0
    house.clock.ahead = timedelta(seconds=3)
    assert await resolve() == 1
    assert (await house.payment(made["payment_id"]))["state"] == "settled"
    house.clock.ahead = timedelta(0)
    assert outcomes(await at_provider(house, made, "repeat")) == ["duplicate"]
    assert len(await house.told()) == 1


async def test_a_provider_that_does_not_answer_is_asked_later(house: House) -> None:
    await house.open_account(1)
    await house.sim.put("/behaviour", json={"answer_delay_s": 3})
    made = (await house.top_up(1)).json()
    assert (made["state"], made["checkout"]["url"]) == ("outcome_unknown", None)
    await house.sim.put("/behaviour", json={})
    house.clock.ahead = timedelta(seconds=3)
    await resolver(house)()
    found = await house.payment(made["payment_id"])
    assert found["state"] == "pending"
    assert found["checkout"]["url"]


async def test_a_provider_that_never_heard_of_an_order(house: House) -> None:
    await house.open_account(1)
    await house.sim.put("/behaviour", json={"fail_calls": 1})
    made = (await house.top_up(1)).json()
    assert made["state"] == "outcome_unknown"
    house.clock.ahead = timedelta(seconds=3)
    await resolver(house)()
    failed = await house.payment(made["payment_id"])
    assert (failed["state"], failed["failure_code"]) == ("failed", "never_opened")


async def test_a_provider_that_is_away_is_asked_ever_more_rarely(house: House) -> None:
    await order(house)
    await house.sim.put("/behaviour", json={"fail_calls": 100})
    resolve, asked = resolver(house), []
    for second in range(0, 120, 2):
        house.clock.ahead = timedelta(seconds=second)
        asked.append(await resolve())
    assert 2 <= sum(asked) <= 5


async def test_an_order_not_paid_in_time_expires_and_late_money_is_set_aside(
    house: House,
) -> None:
    made = await order(house)
    house.clock.ahead = timedelta(hours=1, seconds=1)
    await resolver(house)()
    expired = await house.payment(made["payment_id"])
    assert (expired["state"], expired["failure_code"]) == ("expired", "not_paid_in_time")
    house.clock.ahead = timedelta(0)
    assert outcomes(await at_provider(house, made)) == ["suspense"]
    [item] = (await house.get("/v1/suspense?state=open")).json()["items"]
    assert (item["reason"], item["account_given"]) == ("succeeded_after_expired", "1")
    assert item["order_id"] == made["payment_id"]


@pytest.mark.parametrize(
    ("paid", "reason"),
    [
        ({"amount": "99.000000"}, "amount_mismatch"),
        ({"currency": "ZAR"}, "currency_mismatch"),
    ],
)
async def test_money_that_differs_from_its_order_is_set_aside(
    house: House, paid: dict[str, str], reason: str
) -> None:
    made = await order(house)
    assert outcomes(await at_provider(house, made, **paid)) == ["suspense"]
    failed = await house.payment(made["payment_id"])
    assert (failed["state"], failed["failure_code"]) == ("failed", reason)
    [item] = (await house.get("/v1/suspense")).json()["items"]
    assert item["reason"] == reason
    assert await house.told() == []


async def test_money_for_an_unknown_order_is_set_aside(house: House) -> None:
    made = await order(house)
    answer = await send(house, event(made, merchant_order=str(new_id())))
    assert answer.json() == {"outcome": "suspense"}
    [item] = (await house.get("/v1/suspense")).json()["items"]
    assert item["reason"] == "unknown_order"


async def test_money_for_a_closed_account_is_set_aside(house: House) -> None:
    made = await order(house)
    await house.close_account(1)
    assert outcomes(await at_provider(house, made)) == ["suspense"]
    assert (await house.payment(made["payment_id"]))["failure_code"] == "account_closed"


async def test_a_second_payment_of_one_order_is_set_aside(house: House) -> None:
    made = await order(house)
    await send(house, event(made))
    assert (await send(house, event(made, transaction_id="tx_2"))).json()["outcome"] == "suspense"
    assert len(await house.told()) == 1


async def test_a_refund_reverses_and_a_failure_ends(house: House) -> None:
    made = await order(house)
    await at_provider(house, made)
    assert outcomes(await at_provider(house, made, "refund")) == ["reversed"]
    back = await house.payment(made["payment_id"])
    assert (back["state"], back["reversal_reason"]) == ("reversed", "refunded_by_provider")
    [told] = await house.told(REVERSED)
    assert (told["payment_id"], told["amount_micro"]) == (made["payment_id"], 100_000_000)
    other = (await house.top_up(1)).json()
    assert outcomes(await at_provider(house, other, "fail")) == ["closed"]
    assert (await house.payment(other["payment_id"]))["state"] == "failed"


async def test_p7_a_chargeback_is_told_as_one(house: House) -> None:
    made = await order(house)
    await send(house, event(made))
    back = event(
        made,
        "refunded",
        transaction_id="cb_1",
        refunded_transaction_id="tx_1",
        refund_reason="chargeback",
    )
    assert (await send(house, back)).json()["outcome"] == "reversed"
    [told] = await house.told(REVERSED)
    assert told["reason"] == "chargeback"


async def test_a_reversal_before_its_confirmation_leaves_nothing_to_take_back(
    house: House,
) -> None:
    made = await order(house)
    refund = event(made, "refunded", transaction_id="rf_1", refunded_transaction_id="tx_1")
    assert (await send(house, refund)).json()["outcome"] == "closed"
    assert (await send(house, event(made))).json()["outcome"] == "ignored"
    assert (await house.payment(made["payment_id"]))["state"] == "reversed"
    assert await house.told() == []
    assert await house.told(REVERSED) == []
    assert await house.count("provider_event") == 2


async def test_contradictions_go_to_review(house: House) -> None:
    made = await order(house)
    await send(house, event(made), event_id="e1")
    late = await send(house, event(made, "failed", transaction_id=None))
    assert late.json()["outcome"] == "review"
    other = await send(house, event(made, amount="7.000000"), event_id="e1")
    assert other.json()["outcome"] == "review"
    assert (await send(house, b"[1]", event_id="e3")).json()["outcome"] == "review"
    assert (await send(house, b"[1]", event_id="e3")).json()["outcome"] == "review"
    reviews = (await house.get("/v1/payment-reviews")).json()["items"]
    reasons = [one["reason"] for one in reviews]
    assert reasons == ["unreadable", "repeated_differently", "failed_after_settled"]
    assert reviews[0]["detail"] == "[1]"
    assert (await house.payment(made["payment_id"]))["state"] == "settled"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"amount": "-5.00"},
        {"amount": "1.0000001"},
        {"amount": 5},
        {"currency": "shillings"},
        {"transaction_id": None},
        {"transaction_id": "a\0b"},
        {"merchant_order": "mine"},
    ],
)
async def test_an_unreadable_event_is_kept_for_a_person(
    house: House, changes: dict[str, Any]
) -> None:
    made = await order(house)
    answer = await send(house, event(made, **changes))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "review"})
    assert await house.count("review", "reason = 'unreadable'") == 1


async def test_other_webhooks(house: House) -> None:
    assert (await house.api.post("/v1/webhooks/elsewhere", content=b"{}")).status_code == 404
    large = await house.api.post("/v1/webhooks/paysim", content=b"x" * 70_000)
    assert (large.status_code, large.json()["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "amount_zero"),
        ("-5", "amount_negative"),
        ("100000.01", "amount_above_limit"),
    ],
)
async def test_amounts_outside_the_limits(house: House, amount: str, code: str) -> None:
    await house.open_account(1)
    answer = await house.top_up(1, amount)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_other_bad_orders(house: House) -> None:
    await house.open_account(1)
    decimals = (await house.top_up(1, "1.0000001")).json()
    assert decimals["errors"][0]["code"] == "too_many_decimals"
    assert (await house.top_up(2)).status_code == 404
    path = "/v1/accounts/1/top-ups"
    zar = {"amount": {"amount": "1", "currency": "ZAR"}, "provider": "paysim"}
    assert (await house.post(path, zar)).json()["code"] == "wrong_currency"
    other = {"amount": {"amount": "1", "currency": "KES"}, "provider": "mpesa"}
    assert (await house.post(path, other)).json()["code"] == "provider_unknown"
    mine = house.who("customer", subject="c", customer_id=9)
    assert (await house.top_up(1, by=mine)).status_code == 404
    assert await house.count("payment") == 0


async def test_the_same_key_orders_once(house: House) -> None:
    await house.open_account(1)
    first = await house.top_up(1, key="k")
    again = await house.top_up(1, key="k")
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await house.top_up(1, "50", key="k")).json()["code"] == "idempotency_key_reused"
    assert await house.count("payment") == 1


async def test_the_clock_of_signatures_is_the_wall_clock(house: House) -> None:
    made = await order(house)
    house.clock.ahead = timedelta(seconds=webhooks.TOLERANCE_S + 5)
    [delivery] = (await at_provider(house, made))["deliveries"]
    assert delivery["answer"]["code"] == "webhook_too_old"
    assert wall_now() < house.clock.wall_now()
