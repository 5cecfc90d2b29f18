"""Insights over REST: of full days only, and withheld where there is too little."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from tests.support.tariff import OPENED_AT, TariffHarness, opened, readings

pytestmark = pytest.mark.usefixtures("plans")

NAIROBI = ZoneInfo("Africa/Nairobi")
URL = "/v1/accounts/101/insights"
EVENING = range(18, 22)


async def live(harness: TariffHarness, *installations: int, days: int, growth: int = 0) -> None:
    """100 Wh an hour and 900 from 18 to 22 local time; `growth` Wh more each further day."""
    for number in installations:
        await harness.hear(opened(number))
    rows, register_wh = [], 1000
    for hour in range(1, days * 24 + 1):
        local = (OPENED_AT + timedelta(hours=hour - 1)).astimezone(NAIROBI)
        day = (hour - 1) // 24
        register_wh += (900 if local.hour in EVENING else 100) + growth * day
        rows += [(number, hour * 3600, register_wh + number) for number in installations]
    harness.clock.at = OPENED_AT + timedelta(days=days)
    for first in range(0, len(rows), 500):
        await harness.read(readings(*rows[first : first + 500]))


async def test_what_little_is_known_is_not_stretched(harness, client):
    await harness.hear(opened(1))
    nothing = (await client.get(URL, params={"balance": "100"})).json()
    assert nothing["days_of_data"] == 0
    assert set(nothing["withheld"]) == {
        "trend", "base_load", "peak_hours", "own_past", "class_comparison", "days_left",
    }  # fmt: skip


async def test_six_days_say_nothing_and_seven_say_how_long_a_balance_lasts(harness, client):
    await live(harness, 1, days=7)
    few = (await client.get(URL, params={"balance": "100"})).json()
    assert (few["days_of_data"], few["days_left"], few["base_load_w"]) == (6, None, None)
    assert few["withheld"]["days_left"] == "fewer than 7 full days of readings"
    harness.clock.at = OPENED_AT + timedelta(days=8)
    await harness.read(readings((1, 8 * 86_400, 10**6)))
    some = (await client.get(URL, params={"balance": "100"})).json()
    assert some["days_of_data"] == 7
    assert some["days_left"]["days_of_data"] == 7
    assert some["base_load_w"] == 100
    assert "weekday" in some["days_left"]["method"]


async def test_a_balance_lasts_as_the_days_before_say(harness, client):
    await live(harness, 1, days=62)
    found = (await client.get(URL, params={"balance": "2000.000000"})).json()
    (cost,) = await harness.one("SELECT max(amount_micro) FROM usage_day")
    expected = 2000 * 10**6 / cost
    assert found["days_left"]["days"] == pytest.approx(expected, abs=0.2)
    ends = datetime.fromisoformat(found["days_left"]["runs_out_at"])
    assert ends - harness.clock.now() == pytest.approx(
        timedelta(days=expected), abs=timedelta(hours=5)
    )
    gone = (await client.get(URL, params={"balance": "-5"})).json()["days_left"]
    assert gone["days"] == 0
    assert (await client.get(URL)).json()["days_left"] is None


async def test_base_load_peaks_and_trend_are_those_of_the_days(harness, client):
    await live(harness, 1, days=62, growth=1)
    found = (await client.get(URL)).json()
    assert found["days_of_data"] == 56
    assert 130 < found["base_load_w"] < 161
    assert {peak["hour"] for peak in found["peak_hours"]} <= set(EVENING)
    assert len(found["peak_hours"]) == 3
    assert found["until"] == "2027-01-02"
    before, now = (
        sum(4 * 900 + 20 * 100 + 24 * day for day in range(first, first + 28)) for first in (5, 33)
    )
    assert float(found["trend"]["energy"]["value"]) * 1000 == pytest.approx(now, rel=0.01)
    assert float(found["trend"]["before"]["value"]) * 1000 == pytest.approx(before, rel=0.01)
    assert found["trend"]["change_percent"] == pytest.approx(100 * (now / before - 1), abs=0.5)


async def test_a_full_month_is_compared_with_the_one_before(harness, client):
    await live(harness, 1, days=95)
    found = (await client.get(URL)).json()
    [past] = found["own_past"]
    assert (past["month"], past["against"]) == ("2027-01", "2026-12")
    assert past["change_percent"] == 0.0
    assert past["energy"] == {"value": f"{31 * 5.6:.3f}", "unit": "kWh"}


async def test_a_class_is_compared_with_from_ten_others_on(harness, client):
    others = range(2, 12)
    await live(harness, 1, *others, days=65)
    async with harness.database.transaction() as conn:
        await conn.execute(
            text("UPDATE usage_month SET energy_wh = installation_id * 1000 WHERE month = 202612")
        )
    compared = (await client.get(URL)).json()["class_comparison"]
    assert (compared["month"], compared["accounts"]) == ("2026-12", 10)
    assert compared["energy"]["value"] == "1.000"
    assert compared["median"]["value"] == "6.000"
    async with harness.database.transaction() as conn:
        await conn.execute(
            text("UPDATE installation SET customer_class = 'social' WHERE installation_id = 5")
        )
    found = (await client.get(URL)).json()
    assert found["class_comparison"] is None
    assert "fewer than 10" in found["withheld"]["class_comparison"]


async def test_insights_are_of_ones_own_account_only(harness, client, issuer):
    await harness.hear(opened(1))
    for customer_id, status in ((201, 200), (202, 404)):
        headers = issuer.headers("customer", customer_id=customer_id)
        assert (await client.get(URL, headers=headers)).status_code == status
    assert (await client.get(URL.replace("101", "999"))).status_code == 404
    wrong = await client.get(URL, params={"balance": "1.1234567"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
    assert wrong.json()["errors"][0]["code"] == "too_many_decimals"
    assert harness.clock.now().tzinfo is UTC
