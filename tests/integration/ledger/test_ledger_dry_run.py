"""Asked beforehand who would be cut: under the policy in force, and under one not written."""

from datetime import timedelta

import pytest
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

PLAIN = {**POLICY, "emergency": None, "low_balance": []}


@pytest.fixture
async def homes(house):
    """Three on one policy, each with 100 and a use of 24 a day; the last has paid more."""
    await house.put_policy("town", PLAIN)
    opened = [await house.open(credit_policy="town") for _ in range(3)]
    for home in opened:
        await house.pay(home["account_id"], 124 * M)
    start = house.clock.at
    for hour in range(24):
        house.clock.at = start + timedelta(hours=hour + 1)
        columns = house.charges(*[(home, M) for home in opened])
        spans = {"from_s": [at - 3_540 for at in columns.from_s]}
        await house.post_batches(columns.model_copy(update=spans))
    await house.pay(opened[2]["account_id"], 1_000 * M)
    return opened


async def foreseen(house, hours: int, query: str = "") -> list[dict]:
    answer = await house.get(f"/v1/dry-run/cuts?hours={hours}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_who_would_be_cut_when_why_and_what_avoids_it(house, homes):
    now = house.clock.now()
    assert (await foreseen(house, 99))["items"] == []
    page = await foreseen(house, 101)
    assert [item["account_id"] for item in page["items"]] == [
        homes[0]["account_id"],
        homes[1]["account_id"],
    ]
    assert "last 7 days" in page["assumption"]
    assert (page["looked_at"], page["next_cursor"]) == (3, None)
    cut = page["items"][0]
    assert cut["cut_at"] == (now + timedelta(hours=100)).isoformat().replace("+00:00", "Z")
    assert (cut["reason"], cut["hold_ended"]) == ("exhausted", None)
    assert (cut["credit_policy"], cut["credit_policy_version"]) == ("town", 1)
    assert (cut["balance"]["amount"], cut["use_per_day"]["amount"]) == ("100.000000", "24.000000")
    assert cut["amount_to_avoid"]["amount"] == "1.000001"
    await house.pay(homes[0]["account_id"], M + 1)
    assert len((await foreseen(house, 101))["items"]) == 1
    assert await house.events("credit_exhausted") == []


async def test_pages_and_policies(house, homes):
    first = await foreseen(house, 200, "&limit=1")
    second = await foreseen(house, 200, f"&limit=1&cursor={first['next_cursor']}")
    found = [item["account_id"] for page in (first, second) for item in page["items"]]
    assert found == [homes[0]["account_id"], homes[1]["account_id"]]
    assert (await foreseen(house, 200, "&credit_policy=standard"))["items"] == []


async def test_a_policy_is_tried_before_it_is_written(house, homes):
    body = {"hours": 1, "credit_policy": "town", "policy": {**PLAIN, "floor": "150"}}
    answer = await house.post("/v1/dry-run/cuts", body)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [item["account_id"] for item in items] == [
        homes[0]["account_id"],
        homes[1]["account_id"],
    ]
    assert items[0]["cut_at"] == house.clock.now().isoformat().replace("+00:00", "Z")
    assert items[0]["amount_to_avoid"]["amount"] == "51.000001"
    assert (await foreseen(house, 1))["items"] == []
    shown = (await house.get("/v1/credit-policies/town")).json()
    assert (shown["version"], shown["floor"]) == (1, "0.000000")
    other = {**body, "policy": {**PLAIN, "currency": "ZAR"}}
    refused = await house.post("/v1/dry-run/cuts", other)
    assert refusal(refused) == (422, "currency_mismatch")
    unknown = await house.post("/v1/dry-run/cuts", {**body, "credit_policy": "none"})
    assert unknown.json()["code"] == "unknown_credit_policy"
    assert await house.broken() == []


async def test_a_dry_run_is_for_operators(house):
    answer = await house.get("/v1/dry-run/cuts?hours=1", roles=("customer",), customer_id=1)
    assert answer.status_code == 403
