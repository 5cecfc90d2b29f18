"""Plans and usage over REST."""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from tests.support.tariff import OPENED_AT, example, opened, readings

from npms_tariff.documents import PlanDocument
from npms_tools.schemas.places import API

NAIROBI = ZoneInfo("Africa/Nairobi")


@pytest.mark.usefixtures("plans")
async def test_plans_and_versions_are_listed_page_by_page(client):
    first = (await client.get("/v1/plans", params={"limit": 2})).json()
    second = (await client.get("/v1/plans", params={"cursor": first["next_cursor"]})).json()
    codes = [plan["plan_code"] for plan in first["items"] + second["items"]]
    assert codes == ["household-blocks", "household-flat", "household-tou"]
    assert second["next_cursor"] is None
    plan = await client.get("/v1/plans/household-tou")
    assert plan.json()["name"] == "Household, by time of use"
    more = {key: example("flat")[key] for key in ("valid_from", "document")}
    assert (await client.post("/v1/plans/household-tou/versions", json=more)).status_code == 201
    listed = (await client.get("/v1/plans/household-tou/versions")).json()["items"]
    assert [(one["version"], one["state"]) for one in listed] == [(1, "activated"), (2, "draft")]
    path = "/v1/plans/household-tou/versions"
    (only,) = (await client.get(path, params={"limit": 1})).json()["items"]
    assert only == listed[0]
    shown = (await client.get("/v1/plans/household-tou/versions/1")).json()
    assert PlanDocument.model_validate(shown["document"]) == PlanDocument.model_validate(
        example("time-of-use")["document"]
    )
    for path in ("/v1/plans/none", "/v1/plans/household-tou/versions/9"):
        assert (await client.get(path)).status_code == 404
    bad = await client.get("/v1/plans", params={"cursor": first["next_cursor"][::-1]})
    assert bad.status_code == 422


@pytest.mark.usefixtures("plans")
async def test_versions_cannot_be_changed_by_the_application(harness):
    async with harness.database.connect() as conn:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await conn.execute(text("UPDATE plan_version SET document = '{}'"))


def _with(change):
    plan = example("time-of-use")
    change(plan["document"])
    return plan


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        (lambda d: d["energy"]["schedule"].pop(2), "/document/energy/schedule", "gap"),
        (
            lambda d: d["energy"]["schedule"][1].update({"to": "19:00"}),
            "/document/energy/schedule/2",
            "overlap",
        ),
        (
            lambda d: d["energy"]["periods"][1].update(
                blocks=[
                    {"upto": "5", "price": "1"},
                    {"upto": "3", "price": "2"},
                    {"price": "3"},
                ]
            ),
            "/document/energy/periods/1/blocks/1/upto",
            "blocks_out_of_order",
        ),
        (
            lambda d: d["energy"]["periods"][0].update(blocks=[{"price": "1.1234567"}]),
            "/document/energy/periods/0/blocks/0/price",
            "too_many_decimals",
        ),
        (
            lambda d: d["energy"]["periods"][0].update(blocks=[{"price": "1000000.000001"}]),
            "/document/energy/periods/0/blocks/0/price",
            "price_too_large",
        ),
        (
            lambda d: d["fixed"][0].update(amount="-1"),
            "/document/fixed/0/amount",
            "negative_price",
        ),
        (
            lambda d: d["taxes"][0].update(on=["water"]),
            "/document/taxes/0/on/0",
            "unknown_component",
        ),
    ],
)
async def test_a_wrong_plan_is_refused_at_its_place(client, harness, change, pointer, code):
    answer = await client.post("/v1/plans", json=_with(change))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json()["errors"]]
    assert await harness.one("SELECT count(*) FROM plan") == (0,)


async def test_times_need_an_offset_and_operators_only_make_plans(client, issuer):
    plan = example("flat") | {"valid_from": "2026-01-01T00:00:00"}
    assert (await client.post("/v1/plans", json=plan)).status_code == 422
    customer = issuer.headers("customer", customer_id=1)
    refused = await client.post("/v1/plans", json=example("flat"), headers=customer)
    assert refused.status_code == 403


@pytest.mark.usefixtures("plans")
async def test_usage_by_hour_day_and_month_with_the_open_hour(client, harness):
    await harness.hear(opened(1))
    for step in range(1, 50):
        await harness.read(readings((1, step * 1800, 1000 + step * 100)))
    span = {
        "from": (OPENED_AT - timedelta(days=30)).isoformat(),
        "to": (OPENED_AT + timedelta(days=30)).isoformat(),
    }
    day = {"from": "2026-11-02T00:00:00+03:00", "to": "2026-11-03T00:00:00+03:00"}
    url = "/v1/accounts/101/usage"
    hours = (await client.get(url, params=day)).json()
    assert hours["time_zone"] == "Africa/Nairobi"
    assert len(hours["items"]) == 16
    assert hours["items"][1] == {
        "from": "2026-11-02T09:00:00+03:00",
        "to": "2026-11-02T10:00:00+03:00",
        "commodity": "electricity",
        "energy": {"value": "0.200", "unit": "kWh"},
        "cost": {"amount": "5.684000", "currency": "KES"},
        "open": False,
    }
    assert [item["open"] for item in hours["items"]] == [False] * 16
    days = (await client.get(url, params={**span, "resolution": "day"})).json()["items"]
    assert [item["from"][:10] for item in days] == ["2026-11-02", "2026-11-03"]
    assert [item["energy"]["value"] for item in days] == ["3.200", "1.700"]
    (month,) = (await client.get(url, params={**span, "resolution": "month"})).json()["items"]
    assert (month["from"], month["to"]) == (
        "2026-11-01T00:00:00+03:00",
        "2026-12-01T00:00:00+03:00",
    )
    assert month["energy"]["value"] == "4.900"
    (charged,) = await harness.one("SELECT charged_micro FROM rating_state")
    assert month["cost"]["amount"] == f"{charged / 1_000_000:.6f}"


@pytest.mark.usefixtures("plans")
async def test_a_customer_sees_their_own_usage_only(client, harness, issuer):
    await harness.hear(opened(1))
    url = "/v1/accounts/101/usage?from=2026-11-02T00:00:00Z&to=2026-11-03T00:00:00Z"
    for customer_id, status in ((201, 200), (202, 404)):
        headers = issuer.headers("customer", customer_id=customer_id)
        assert (await client.get(url, headers=headers)).status_code == status
    assert (await client.get(url.replace("101", "999"))).status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-11-02T00:00:00Z&to=2026-11-02T00:00:00Z", "empty_range"),
        ("from=2026-01-02T00:00:00Z&to=2026-11-02T00:00:00Z", "range_too_long"),
        ("from=2026-11-02T00:00:00&to=2026-11-03T00:00:00Z", "invalid_request"),
        ("from=2026-11-02T00:00:00Z", "invalid_request"),
        ("from=2026-11-02T00:00:00Z&to=2026-11-03T00:00:00Z&resolution=week", "invalid_request"),
    ],
)
async def test_a_wrong_range_is_refused(client, query, code):
    answer = await client.get(f"/v1/accounts/101/usage?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.usefixtures("plans")
async def test_parked_readings_are_listed(client, harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000), (1, 120, 1000), (9, 60, 5)))
    listed = (await client.get("/v1/parked-readings")).json()["items"]
    assert [item["reason"] for item in listed] == ["unknown_installation", "register_backwards"]
    only = (await client.get("/v1/parked-readings", params={"installation_id": 1})).json()["items"]
    assert [item["register_value"]["value"] for item in only] == ["1.000"]


async def test_the_plan_language_is_served_as_it_is_published(client, issuer):
    answer = await client.get("/v1/plan-schema")
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == json.loads((API / "plan.schema.json").read_text())
    customer = issuer.headers("customer", customer_id=1)
    assert (await client.get("/v1/plan-schema", headers=customer)).status_code == 403
