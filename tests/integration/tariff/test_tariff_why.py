"""Which versions rate a span of time, and where in the blocks the energy fell."""

from datetime import timedelta

import pytest
from tests.support.tariff import OPENED_AT, TariffHarness, opened, readings

pytestmark = pytest.mark.usefixtures("plans")

SPAN = {"from": OPENED_AT.isoformat(), "to": (OPENED_AT + timedelta(days=1)).isoformat()}
URL = "/v1/installations/1/why"


async def test_the_blocks_hold_what_was_rated(harness: TariffHarness, client):
    await harness.hear(opened(1, plan_code="household-blocks"))
    await harness.read(readings((1, 3600, 1000 + 75_000), (1, 7200, 1000 + 80_000)))
    told = (await client.get(URL, params=SPAN)).json()
    (version,) = told["versions"]
    shown = await client.get(f"/v1/plans/household-blocks/versions/{version['version']}")
    assert version["document"] == shown.json()["document"]
    (scope,) = told["scopes"]
    assert (scope["month"], scope["cost"]) == ("2026-11", None)
    energy = [int(slot["energy"]["value"].replace(".", "")) for slot in scope["slots"]]
    assert sum(energy) == 80_000
    bounds = [slot["upto"] for slot in scope["slots"]]
    assert bounds[-1] is None
    assert energy[0] == int(bounds[0]["value"].replace(".", ""))
    assert told["register_value"]["value"] == "81.000"


async def test_a_closed_month_says_what_it_cost(harness: TariffHarness, client):
    await harness.hear(opened(1))
    seconds = 40 * 86_400
    await harness.read(readings((1, 3600, 2000), (1, seconds, 50_000)))
    told = (await client.get(URL, params=SPAN)).json()
    (scope,) = told["scopes"]
    (cost,) = await harness.one("SELECT cost_micro FROM rating_scope WHERE month = 202611")
    assert int(scope["cost"]["amount"].replace(".", "")) == cost


async def test_somebody_else_s_installation_looks_like_none(harness: TariffHarness, client, issuer):
    await harness.hear(opened(1))
    for customer_id, status in ((201, 200), (202, 404)):
        headers = issuer.headers("customer", customer_id=customer_id)
        answer = await client.get(URL, params=SPAN, headers=headers)
        assert answer.status_code == status
    assert (await client.get("/v1/installations/9/why", params=SPAN)).status_code == 404
    turned = {"from": SPAN["to"], "to": SPAN["from"]}
    assert (await client.get(URL, params=turned)).status_code == 422
