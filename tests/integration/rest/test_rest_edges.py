"""Values at the edges of what can be: refused with a place, never a failure."""

from typing import Any

import pytest
from tests.integration.rest.five import MONEY, Five

LAST = 2**63 - 1
PAYMENT = {"account_number": "1", "amount": MONEY, "source": "partner"}


@pytest.mark.parametrize("resolution", ["hour", "day", "month"])
@pytest.mark.parametrize("path", ["usage", "usage.csv", "usage.xml"])
@pytest.mark.parametrize(
    "span",
    [
        ("9999-12-01T00:00:00Z", "9999-12-31T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00+14:00"),
    ],
)
async def test_usage_of_years_that_nobody_means_is_refused(
    five: Five, path: str, resolution: str, span: tuple[str, str]
) -> None:
    asked = {"from": span[0], "to": span[1], "resolution": resolution}
    answer = await five.call("tariff", "GET", f"/v1/accounts/{five.theirs}/{path}", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("ledger", f"/v1/accounts/1/postings/{LAST}/why"),
        ("ledger", f"/v1/accounts/{2**70}"),
        ("payments", f"/v1/accounts/{LAST}/payments"),
        ("meter-gateway", f"/v1/meters/{LAST}"),
        ("notifier", f"/v1/tickets?account_id={LAST}"),
        ("ledger", "/v1/audit-trail?by=a%00b"),
        ("meter-gateway", "/v1/meters?serial=%00"),
        ("tariff", "/v1/plans/a%00b"),
    ],
)
async def test_numbers_and_texts_that_no_column_holds_are_refused(
    five: Five, service: str, path: str
) -> None:
    answer = await five.call(service, "GET", path)
    assert answer.status_code == 422, answer.text


async def test_references_that_look_alike_are_one_payment(five: Five) -> None:
    shop = five.issuer.headers("partner", partner_id="shop")

    async def bring(reference: str) -> Any:
        body = {**PAYMENT, "reference": reference}
        return await five.call("payments", "POST", "/v1/payments", body, headers=shop)

    assert (await bring("caf\u00e9 26045")).is_success
    for alike in ("cafe\u0301 26045", " caf\u00e9\u00a026045 ", "caf\u00e9\u2003 26045"):
        again = await bring(alike)
        assert (again.status_code, again.json()["code"]) == (409, "already_received")
    for unseen in ("caf\u00e9\u200b 26045", "caf\u00e9 26045\u2060", "\u202e54062 caf\u00e9"):
        refused = await bring(unseen)
        [error] = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/reference", "unreadable_text")


async def test_a_partner_whose_token_names_none_brings_and_sees_nothing(five: Five) -> None:
    shop = five.issuer.headers("partner", subject="nameless", partner_id="nameless")
    nobody = five.issuer.headers("partner", subject="nameless")
    body = {**PAYMENT, "reference": "FT-nameless", "account_number": str(five.theirs)}
    brought = await five.call("payments", "POST", "/v1/payments", body, headers=shop)
    assert brought.status_code == 201, brought.text
    place = f"/v1/payments/{brought.json()['payment_id']}"
    assert (await five.call("payments", "GET", place, headers=shop)).status_code == 200
    assert (await five.call("payments", "GET", place, headers=nobody)).status_code == 404
    refused = await five.call("payments", "POST", "/v1/payments", body, headers=nobody)
    assert (refused.status_code, refused.json()["code"]) == (403, "partner_unknown")
