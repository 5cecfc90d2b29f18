"""A trial sale of units, over REST."""

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.problems import refusal
from tests.support.tariff import OPENED_AT, opened, readings

from npms_shared.contracts.ledger import InstallationClosed

pytestmark = pytest.mark.usefixtures("plans")
URL = "/v1/accounts/101/quotes"
FIVE_HUNDRED = {"money": {"amount": "500.00", "currency": "KES"}}
HOUR = 3600


@pytest.fixture
async def used(harness, plans):
    """40 kWh of the first block are used; it is half past six in the evening of the same day."""
    await harness.hear(opened(1, plan_code="household-blocks"))
    await harness.read(readings((1, 10 * HOUR, 41_000)))
    harness.clock.at = OPENED_AT + timedelta(hours=10, minutes=30)


async def state(harness):
    return await harness.rows("SELECT * FROM rating_state"), await harness.rows(
        "SELECT * FROM outbox"
    )


@pytest.mark.usefixtures("used")
async def test_p11_a_quote_splits_money_exactly_with_its_residue(client):
    quote = (await client.post(URL, json=FIVE_HUNDRED)).json()
    lines = quote["lines"]
    amounts = [Decimal(line["amount"]["amount"]) for line in lines]
    assert sum(amounts) == Decimal(quote["cost"]["amount"])
    assert sum(amounts) + Decimal(quote["residue"]["amount"]) == 500
    assert [(line["component"], line["block"], line["energy"]["value"]) for line in lines[:2]] == [
        ("energy", 1, "10.000"), ("energy", 2, lines[1]["energy"]["value"]),
    ]  # fmt: skip
    assert [line["component"] for line in lines[2:]] == ["tax:vat", "tax:levy"]
    assert (quote["period"], quote["plan_code"], quote["plan_version"]) == (
        "all", "household-blocks", 1,
    )  # fmt: skip
    assert quote["month_energy"]["value"] == "40.000"
    assert quote["not_included"] == ["standing"]
    bought = {"energy": quote["energy"]}
    cost = (await client.post(URL, json=bought)).json()
    assert (cost["cost"], cost["lines"]) == (quote["cost"], quote["lines"])
    wh = int(Decimal(quote["energy"]["value"]) * 1000)
    more = {"energy": {"value": f"{Decimal(wh + 1) / 1000}"}}
    dearer = (await client.post(URL, json=more)).json()
    assert Decimal(dearer["cost"]["amount"]) > 500


@pytest.mark.usefixtures("used")
async def test_t7_the_same_quote_twice_is_the_same_and_changes_nothing(client, harness):
    before = await state(harness)
    first = (await client.post(URL, json=FIVE_HUNDRED)).json()
    harness.clock.advance(timedelta(minutes=10))
    second = (await client.post(URL, json=FIVE_HUNDRED)).json()
    assert first.pop("at") < second.pop("at")
    assert first == second
    assert await state(harness) == before


@pytest.mark.usefixtures("used")
async def test_the_next_month_begins_in_the_first_block(client, harness):
    harness.clock.at = OPENED_AT.replace(day=30) + timedelta(hours=17)
    assert (await client.post(URL, json=FIVE_HUNDRED)).json()["month_energy"]["value"] == "0.000"


@pytest.mark.usefixtures("used")
async def test_a_customer_may_ask_for_their_own(client, issuer):
    for customer_id, status in ((201, 200), (202, 404)):
        headers = issuer.headers("customer", customer_id=customer_id)
        answer = await client.post(URL, json=FIVE_HUNDRED, headers=headers)
        assert answer.status_code == status
    assert (await client.post("/v1/accounts/999/quotes", json=FIVE_HUNDRED)).status_code == 404


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "money_or_energy"),
        ({**FIVE_HUNDRED, "energy": {"value": "1"}}, "money_or_energy"),
        ({"money": {"amount": "0", "currency": "KES"}}, "not_positive"),
        ({"money": {"amount": "-5", "currency": "KES"}}, "not_positive"),
        ({"energy": {"value": "0"}}, "energy_out_of_range"),
        ({"energy": {"value": "1000000000.001"}}, "energy_out_of_range"),
    ],
)
async def test_a_question_that_is_none_is_pointed_at(client, body, code):
    answer = await client.post(URL, json=body)
    assert refusal(answer) == (422, "invalid_request")
    assert [error["code"] for error in answer.json()["errors"]] == [code]


@pytest.mark.usefixtures("used")
async def test_another_currency_and_meters_that_do_not_fit_are_refused(client, harness):
    dollars = {"money": {"amount": "5", "currency": "USD"}}
    assert refusal(await client.post(URL, json=dollars)) == (422, "currency_mismatch")
    other = {**FIVE_HUNDRED, "installation_id": 2}
    assert refusal(await client.post(URL, json=other)) == (422, "no_installation")
    await harness.hear(opened(2, account_id=101, customer_id=201))
    assert refusal(await client.post(URL, json=FIVE_HUNDRED)) == (422, "several_installations")
    chosen = (await client.post(URL, json=other)).json()
    assert (chosen["installation_id"], chosen["plan_code"]) == (2, "household-flat")
    closing = InstallationClosed(
        installation_id=1,
        account_id=101,
        closing_register_wh=42_000,
        closed_at=OPENED_AT + timedelta(hours=11),
    )
    await harness.hear(closing)
    assert (await client.post(URL, json=FIVE_HUNDRED)).json()["installation_id"] == 2
