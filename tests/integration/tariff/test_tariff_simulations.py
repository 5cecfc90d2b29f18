"""Last month's use under another plan, streamed over REST."""

import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.tariff import OPENED_AT, example, opened, put_in_force, readings

pytestmark = pytest.mark.usefixtures("plans")
DECEMBER = OPENED_AT.replace(month=12)
FLAT = {"plan_code": "household-flat"}
DRAFT = {**FLAT, "version": 2}


async def simulate(client, **body: Any) -> list[dict[str, Any]]:
    answer = await client.post("/v1/simulations", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def amounts(line: dict[str, Any]) -> list[Decimal]:
    return [Decimal(line[name]["amount"]) for name in ("old_cost", "new_cost", "difference")]


@pytest.fixture
async def used(harness, plans):
    """Four accounts with a few days of use in November; it is December."""
    codes = ("household-flat", "household-flat", "household-tou", "household-blocks")
    for number, plan_code in enumerate(codes, start=1):
        await harness.hear(opened(number, plan_code=plan_code))
    for step in range(1, 40):
        rows = [(number, step * 7000, 1000 + step * 900 * number) for number in range(1, 5)]
        await harness.read(readings(*rows))
    harness.clock.at = DECEMBER


@pytest.fixture
async def draft(client) -> dict[str, Any]:
    """Of the flat plan: a little dearer, without a daily charge."""
    document = {"energy": {"periods": [{"name": "all", "blocks": [{"price": "30"}]}]}}
    body = {"valid_from": "2027-01-01T00:00:00+03:00", "document": document}
    answer = await client.post("/v1/plans/household-flat/versions", json=body)
    assert answer.status_code == 201
    return document


@pytest.mark.usefixtures("used")
async def test_under_its_own_version_nothing_differs_and_all_is_what_was_charged(client, harness):
    for number, code in ((1, "flat"), (3, "tou"), (4, "blocks")):
        under = {"plan_code": f"household-{code}", "version": 1}
        lines = await simulate(client, of={"account_id": 100 + number}, under=under)
        assert [line["line"] for line in lines] == ["begin", "account", "progress", "total"]
        account, total = lines[1], lines[-1]
        old, new, difference = amounts(account)
        assert old == new == Decimal(total["old_cost"]["amount"])
        assert difference == 0
        assert account["exact"]
        [(charged, rated_wh)] = await harness.rows(
            "SELECT charged_micro, rated_wh FROM rating_state WHERE installation_id = :id",
            id=number,
        )
        assert Decimal(account["energy"]["value"]) * 1000 == rated_wh
        assert Decimal(account["charged"]["amount"]) * 10**6 == charged
        days_after = 29 - (OPENED_AT.day + 3) + 1
        if number == 1:
            assert days_after == 25
            standing = Decimal(5) * 25 * Decimal("1.16")
            assert old == Decimal(charged) / 10**6 + standing


@pytest.mark.usefixtures("used", "draft")
async def test_everyone_on_a_plan_under_a_draft_with_differences_by_component(client):
    begun, first, second, progress, total = await simulate(client, of=FLAT, under=DRAFT)
    assert (begun["accounts"], begun["other_accounts"]) == (2, 0)
    assert (progress["done"], progress["accounts"]) == (2, 2)
    assert [line["account_id"] for line in (first, second)] == [101, 102]
    for line in (first, second, total):
        old, new, difference = amounts(line)
        assert new - old == difference
        assert new == Decimal(line["energy"]["value"]) * 30
        parts = {part["component"]: amounts(part) for part in line["components"]}
        assert [sum(side) for side in zip(*parts.values(), strict=True)] == [old, new, difference]
        assert parts["fixed:standing"][1] == parts["tax:vat"][1] == 0
    assert (total["accounts"], total["left_out"]) == (2, 0)
    for side in range(3):
        assert amounts(total)[side] == amounts(first)[side] + amounts(second)[side]


@pytest.mark.usefixtures("used", "draft")
async def test_a_document_and_a_span_of_hours(client, draft):
    span = {"from": "2026-11-02T10:00:00+03:00", "to": "2026-11-02T12:00:00+03:00"}
    under = {**FLAT, "document": draft}
    *_, account, _, total = await simulate(client, of={"account_id": 102}, under=under, **span)
    usage = await client.get("/v1/accounts/102/usage", params={**span, "resolution": "hour"})
    used_wh = sum(Decimal(item["energy"]["value"]) for item in usage.json()["items"])
    assert Decimal(total["energy"]["value"]) == used_wh
    cost = sum(Decimal(item["cost"]["amount"]) for item in usage.json()["items"])
    assert amounts(account)[0] == cost == Decimal(account["charged"]["amount"])
    assert amounts(account)[1] == used_wh * 30


@pytest.mark.usefixtures("used", "draft")
async def test_a_class_is_simulated_with_what_is_for_it(client, harness):
    await harness.hear(opened(9, customer_class="social"))
    await harness.read(readings((9, 7000, 11_000)))
    document = {
        "energy": {"periods": [{"name": "all", "blocks": [{"price": "10"}]}]},
        "discounts": [
            {"name": "social", "rate_ppm": 500_000, "on": ["energy"], "classes": ["social"]}
        ],
    }
    under = {**FLAT, "document": document}
    _, only, _, total = await simulate(client, of={"customer_class": "social"}, under=under)
    assert only["account_id"] == 109
    assert amounts(total)[1] == 10 * 10 / 2
    _, other, *_ = await simulate(client, of={"account_id": 101}, under=under)
    assert amounts(other)[1] == Decimal(other["energy"]["value"]) * 10


@pytest.mark.usefixtures("used")
async def test_pages_reach_everyone_and_say_how_far_they_are(client, monkeypatch):
    monkeypatch.setattr("npms_tariff.handlers.simulate.MOST_ACCOUNTS_A_PAGE", 1)
    under = {"plan_code": "household-blocks", "version": 1}
    lines = await simulate(client, of=FLAT, under=under)
    kinds = ["begin", "account", "progress", "account", "progress", "total"]
    assert [line["line"] for line in lines] == kinds
    assert [line["done"] for line in lines if line["line"] == "progress"] == [1, 2]


@pytest.mark.usefixtures("used", "draft")
async def test_what_cannot_be_rated_or_compared_is_left_out_and_said(client, harness, second):
    late = {**example("flat"), "plan_code": "late", "valid_from": "2026-11-20T00:00:00+03:00"}
    await put_in_force(client, second, late)
    await harness.hear(opened(7, plan_code="late"))
    _, left_out, _, total = await simulate(client, of={"plan_code": "late"}, under=DRAFT)
    assert left_out == {"line": "left_out", "account_id": 107, "code": "no_plan"}
    assert (total["accounts"], total["left_out"]) == (0, 1)
    water = {**example("flat"), "plan_code": "water", "commodity": "water"}
    await put_in_force(client, second, water)
    begun, total = await simulate(client, of=FLAT, under={"plan_code": "water", "version": 1})
    assert (begun["accounts"], begun["other_accounts"], total["accounts"]) == (0, 2, 0)


@pytest.mark.usefixtures("used", "draft")
async def test_of_hours_that_are_no_longer_kept_nothing_is_made_up(client, harness):
    async with harness.database.connect() as conn:
        await conn.execute(text("SELECT usage_hour_drop('2026-12-01')"))
        await conn.commit()
    _, *left_out, _, total = await simulate(client, of=FLAT, under=DRAFT)
    assert [line["code"] for line in left_out] == ["hours_dropped"] * 2
    assert (total["accounts"], total["left_out"]) == (0, 2)


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"of": FLAT, "under": {"plan_code": "none", "version": 1}}, 404, "not_found"),
        ({"of": FLAT, "under": {**FLAT, "version": 9}}, 404, "not_found"),
        ({"of": FLAT, "under": FLAT}, 422, "invalid_request"),
        ({"of": {}, "under": {**FLAT, "version": 1}}, 422, "invalid_request"),
        (
            {"of": {**FLAT, "account_id": 1}, "under": {**FLAT, "version": 1}},
            422,
            "invalid_request",
        ),
    ],
)
async def test_a_simulation_of_nothing_is_refused(client, body, status, code):
    answer = await client.post("/v1/simulations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        ("2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z", "empty_range"),
        ("2026-11-02T00:00:00Z", "2027-11-04T00:00:00Z", "range_too_long"),
        ("2026-11-02T00:00:00Z", "2027-01-01T01:00:00Z", "in_future"),
        ("2026-11-02T00:30:00Z", "2026-11-03T00:00:00Z", "not_a_full_hour"),
        ("2026-11-02T00:00:00Z", None, "invalid_request"),
    ],
)
async def test_a_wrong_span_is_refused(client, begin, end, code):
    body = {"of": FLAT, "under": {**FLAT, "version": 1}, "from": begin}
    answer = await client.post("/v1/simulations", json=body | ({"to": end} if end else {}))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_document_that_cannot_rate_is_pointed_at(client):
    blocks = [{"upto": "2", "price": "1"}, {"upto": "1", "price": "1"}, {"price": "1"}]
    document = {"energy": {"periods": [{"name": "all", "blocks": blocks}]}}
    body = {"of": FLAT, "under": {**FLAT, "document": document}}
    answer = await client.post("/v1/simulations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_plan")
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/under/document/energy/periods/0/blocks/1/upto"


async def test_customers_simulate_nothing(client, issuer):
    body = {"of": FLAT, "under": {**FLAT, "version": 1}}
    headers = issuer.headers("customer", customer_id=1)
    assert (await client.post("/v1/simulations", json=body, headers=headers)).status_code == 403


@pytest.mark.usefixtures("used", "draft")
async def test_a_simulation_changes_nothing(client, harness):
    async def everything():
        return [
            await harness.rows("SELECT * FROM rating_state ORDER BY 1"),
            await harness.rows("SELECT * FROM usage_hour ORDER BY 1, 2"),
            await harness.rows("SELECT * FROM rating_scope ORDER BY 1, 2, 3"),
            await harness.rows("SELECT * FROM outbox ORDER BY 1"),
        ]

    before = await everything()
    await simulate(client, of=FLAT, under=DRAFT)
    assert await everything() == before
