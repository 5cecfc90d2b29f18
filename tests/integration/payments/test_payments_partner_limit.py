"""What a partner may sell in a day is bounded in the transaction that sells."""

import asyncio
from datetime import timedelta
from typing import Any

from prometheus_client import REGISTRY
from tests.integration.payments.conftest import House

LIMIT = "/v1/partners/corner-shop/limit"


async def sell(
    house: House, amount: str, *, account: str = "1", partner: str = "corner-shop"
) -> Any:
    body = {
        "account_number": account,
        "amount": {"amount": amount, "currency": "KES"},
        "source": "partner",
        "reference": f"R-{next(house.keys)}",
    }
    by = house.who("partner", subject=f"till-{next(house.keys)}", partner_id=partner)
    return await house.post("/v1/payments", body, by=by)


async def put_limit(house: House, amount: str, *roles: str) -> Any:
    body = {"day_limit": {"amount": amount, "currency": "KES"}, "reason": "a new shop"}
    return await house.api.put(LIMIT, json=body, headers=house.who(*(roles or ("admin",))))


async def test_a_stolen_token_sells_no_more_than_a_days_ceiling_however_many_tills_at_once(
    house: House,
) -> None:
    await house.open_account(1)
    assert (await sell(house, "60000")).status_code == 201
    over = await sell(house, "60000")
    assert (over.status_code, over.json()["code"]) == (422, "partner_limit"), "the default ceiling"
    assert "40000.000000 is left" in over.json()["detail"]
    assert (await put_limit(house, "60500")).status_code == 200
    answers = await asyncio.gather(*(sell(house, "100") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 7
    elsewhere = await sell(house, "1", account="77")
    assert elsewhere.json()["code"] == "partner_limit", "suspense is sold, too"
    assert await house.count("arrival") == 6
    shown = (await house.get(f"{LIMIT}?currency=KES")).json()
    amounts = [shown[name]["amount"] for name in ("day_limit", "sold", "left")]
    assert amounts == ["60500.000000", "60500.000000", "0.000000"]
    sold = {"partner": "corner-shop", "currency": "KES"}
    assert REGISTRY.get_sample_value("npms_partner_sold_units_total", sold) == 60500
    assert REGISTRY.get_sample_value("npms_partner_refused_total", {"partner": "corner-shop"}) == 9
    assert (await sell(house, "100", partner="kiosk")).status_code == 201
    house.clock.ahead += timedelta(days=1)
    assert (await sell(house, "100")).status_code == 201


async def test_who_may_see_and_set_a_partners_limit(house: House) -> None:
    shop = house.who("partner", partner_id="corner-shop")
    assert (await house.get(f"{LIMIT}?currency=KES", by=shop)).status_code == 200
    kiosk = house.who("partner", partner_id="kiosk")
    assert (await house.get(f"{LIMIT}?currency=KES", by=kiosk)).status_code == 404
    assert (await put_limit(house, "1", "operator")).status_code == 403
    negative = await put_limit(house, "-1")
    assert (negative.status_code, negative.json()["errors"][0]["code"]) == (422, "negative_amount")
    for amount in ("0", "7"):
        assert (await put_limit(house, amount)).json()["day_limit"]["amount"] == f"{amount}.000000"
    kept = await house.count("partner_limit", "set_by <> '' AND reason = 'a new shop'")
    assert kept == 2, "every limit there was is kept"
