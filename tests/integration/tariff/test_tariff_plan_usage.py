"""A plan's usage, rolled up while it is written; usage as files."""

import csv
import io
from datetime import timedelta

import pytest
from greenbutton_objects.parse import parse_feed
from sqlalchemy import text
from tests.support.tariff import OPENED_AT, OPENED_S, opened, put_in_force, readings

pytestmark = pytest.mark.usefixtures("plans")

PLAN_URL = "/v1/plans/household-flat/usage"
NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01"}
SPAN = {"from": "2026-11-02T00:00:00+03:00", "to": "2026-11-04T00:00:00+03:00"}


async def use(harness, *installations: int, hours: int = 30) -> None:
    """Two readings an hour, of 100 Wh each."""
    for number in installations:
        await harness.hear(opened(number))
    for step in range(1, 2 * hours + 1):
        rows = [(number, step * 1800, 1000 + step * 100) for number in installations]
        await harness.read(readings(*rows))


async def test_a_plans_usage_is_that_of_its_installations(harness, client):
    await use(harness, 1, 2, 3)
    (wh, micro) = await harness.one("SELECT sum(energy_wh), sum(amount_micro) FROM usage_hour")
    for resolution, count in (("hour", 29), ("day", 2), ("month", 1)):
        query = NOVEMBER | {"resolution": resolution}
        answer = (await client.get(PLAN_URL, params=query)).json()
        items = answer["items"]
        assert len(items) == count
        assert sum(item["installation_hours"] for item in items) == 3 * 29
        assert sum(float(item["energy"]["value"]) * 1000 for item in items) == pytest.approx(
            float(wh)
        )
        assert sum(float(item["cost"]["amount"]) for item in items) == pytest.approx(
            float(micro) / 10**6
        )
        assert {item["version"] for item in items} == {1}
    days = (await client.get(PLAN_URL, params=NOVEMBER)).json()["items"]
    assert [day["at"] for day in days] == ["2026-11-02", "2026-11-03"]
    assert [day["installation_hours"] for day in days] == [3 * 16, 3 * 13]


async def test_a_plans_usage_is_told_version_by_version(harness, client, second):
    await use(harness, 1, hours=2)
    change = {
        "plan_code": "household-flat",
        "valid_from": (OPENED_AT + timedelta(hours=3)).isoformat(),
        "document": {"energy": {"periods": [{"name": "all", "blocks": [{"price": "1"}]}]}},
    }
    await put_in_force(client, second, change)
    for hour in range(3, 7):
        await harness.read(readings((1, hour * 3600, 2000 + hour * 100)))
    query = NOVEMBER | {"resolution": "hour"}
    items = (await client.get(PLAN_URL, params=query)).json()["items"]
    assert [(item["at"][11:16], item["version"]) for item in items] == [
        ("05:00", 1), ("06:00", 1), ("07:00", 1), ("08:00", 2), ("09:00", 2),
    ]  # fmt: skip


async def test_wrong_spans_and_plans_are_refused(client, issuer):
    for span, code in (
        ({"from": "2026-11-02", "to": "2026-11-02"}, "empty_range"),
        ({"from": "2020-11-02", "to": "2026-11-02"}, "range_too_long"),
        ({"from": "soon", "to": "2026-11-02"}, "invalid_request"),
    ):
        answer = await client.get(PLAN_URL, params=span)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    missing = await client.get("/v1/plans/none/usage", params=NOVEMBER)
    assert missing.status_code == 404
    customer = issuer.headers("customer", customer_id=201)
    assert (await client.get(PLAN_URL, params=NOVEMBER, headers=customer)).status_code == 403


async def test_usage_is_exported_as_csv_line_for_line_what_rest_says(harness, client):
    await use(harness, 1)
    url = "/v1/accounts/101/usage"
    shown = (await client.get(url, params=SPAN)).json()["items"]
    answer = await client.get(f"{url}.csv", params=SPAN)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["from"] for row in rows] == [item["from"] for item in shown]
    for row, item in zip(rows, shown, strict=True):
        assert (row["energy_kwh"], row["cost"]) == (item["energy"]["value"], item["cost"]["amount"])
        assert (row["open"] == "yes") == item["open"]
    assert [row["open"] for row in rows] == ["no"] * 29 + ["yes"]


async def test_a_long_csv_comes_in_parts_and_is_whole(harness, client):
    await harness.hear(opened(1))
    async with harness.database.transaction() as conn:
        await conn.execute(
            text(
                "INSERT INTO usage_hour SELECT 1, :from_s + n * 3600, n, n "
                "FROM generate_series(0, 4999) AS n"
            ),
            {"from_s": OPENED_S},
        )
    span = {"from": OPENED_AT.isoformat(), "to": (OPENED_AT + timedelta(days=300)).isoformat()}
    answer = await client.get("/v1/accounts/101/usage.csv", params=span)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["energy_kwh"] for row in rows] == [f"{n / 1000:.3f}" for n in range(5000)]


async def test_usage_is_exported_as_green_button(harness, client):
    await use(harness, 1)
    async with harness.database.transaction() as conn:
        await conn.execute(text("UPDATE installation SET currency = 'EUR'"))
    shown = (await client.get("/v1/accounts/101/usage", params=SPAN)).json()["items"]
    answer = await client.get("/v1/accounts/101/usage.xml", params=SPAN)
    assert answer.headers["content-type"] == "application/atom+xml"
    [point] = parse_feed(io.BytesIO(answer.content))
    [meter] = point.meterReadings
    found = list(meter.intervalReadings)
    assert [reading.value for reading in found] == [
        round(float(item["energy"]["value"]) * 1000) for item in shown
    ]
    assert sum(reading.cost for reading in found) == pytest.approx(
        sum(float(item["cost"]["amount"]) for item in shown), abs=1e-5
    )


async def test_files_are_of_ones_own_account_only(harness, client, issuer):
    await harness.hear(opened(1))
    for ending in ("csv", "xml"):
        url = f"/v1/accounts/101/usage.{ending}"
        for customer_id, status in ((201, 200), (202, 404)):
            headers = issuer.headers("customer", customer_id=customer_id)
            assert (await client.get(url, params=SPAN, headers=headers)).status_code == status
        turned = {"from": SPAN["to"], "to": SPAN["from"]}
        assert (await client.get(url, params=turned)).json()["code"] == "empty_range"
