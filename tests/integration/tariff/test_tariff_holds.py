"""R6: a register that falls stops billing until a person has looked; nothing is silently zero."""

from datetime import timedelta

import pytest
from tests.support.tariff import OPENED_AT, OPENED_S, PARTITION, TariffHarness, opened, readings

from npms_shared.contracts.meter_gateway import RegisterFell
from npms_tariff.handlers.errors import NotOpenedYet
from npms_tariff.storage.states import StaleState

pytestmark = pytest.mark.usefixtures("plans")
NOTE = {"reason": "misread on site"}


async def kept(harness: TariffHarness) -> list[str]:
    rows = await harness.rows("SELECT reason FROM parked_reading ORDER BY parked_reading_id")
    return [row[0] for row in rows]


async def rated(harness: TariffHarness, installation_id: int = 1) -> tuple[int, int]:
    """(last rated register, readings billed)"""
    query = "SELECT register_wh, readings_billed FROM rating_state WHERE installation_id = :id"
    found = await harness.one(query, id=installation_id)
    return found[0], found[1]


async def release(client, **changes) -> dict:
    (hold,) = (await client.get("/v1/billing-holds", params={"only_open": True})).json()["items"]
    place = f"/v1/billing-holds/{hold['billing_hold_id']}/release"
    answer = await client.post(place, json=NOTE | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("register_wh", "is_held"), [(1999, True), (2000, False), (2001, False), (0, True)]
)
async def test_r6_a_register_below_the_last_rated_one_holds_billing_to_the_unit(
    harness, register_wh, is_held
):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    await harness.read(readings((1, 120, register_wh), (1, 180, 2500)))
    assert (await rated(harness))[0] == (2000 if is_held else 2500)
    assert await kept(harness) == (["register_backwards", "on_hold"] if is_held else [])
    assert await harness.one("SELECT count(*) FROM billing_hold") == (int(is_held),)
    await harness.assert_rules_hold()


async def test_r6_a_release_rates_on_from_the_last_rated_register(harness, client):
    await harness.hear(opened(1))
    await harness.hear(opened(2))
    await harness.read(readings((1, 60, 2000), (1, 120, 1500), (1, 180, 1600), (2, 60, 1100)))
    await harness.read(readings((1, 240, 2100), (2, 120, 1200)))
    assert await rated(harness) == (2000, 1)
    assert await rated(harness, 2) == (1200, 2)
    released = await release(client)
    assert released["released_by"] == "amina"
    assert (released["register_value"]["value"], released["last_register"]["value"]) == (
        "1.500",
        "2.000",
    )
    with pytest.raises(StaleState):
        await harness.read(readings((1, 300, 2200)))
    await harness.read(readings((1, 300, 2200)))
    assert await rated(harness) == (2200, 2)
    assert (await harness.charges())[-1].energy_wh == [200]
    assert await kept(harness) == ["register_backwards", "on_hold", "on_hold"]
    await harness.assert_rules_hold()


async def test_r6_a_register_that_stays_low_is_held_again(harness, client):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000), (1, 120, 1500)))
    await release(client)
    harness.partitions.forget(PARTITION)
    await harness.read(readings((1, 180, 1600), (1, 240, 2500)))
    assert await rated(harness) == (2000, 1)
    holds = (await client.get("/v1/billing-holds", params={"account_id": 101})).json()["items"]
    assert [hold["released_at"] is None for hold in holds] == [True, False]


async def test_a_hold_outlives_the_cache(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000), (1, 120, 1500)))
    harness.partitions.forget(PARTITION)
    await harness.read(readings((1, 180, 2500), (1, 30, 1200)))
    assert await rated(harness) == (2000, 1)
    assert await kept(harness) == ["register_backwards", "on_hold", "late"]


def fell(seconds: int, register_wh: int, **changes) -> RegisterFell:
    given = {
        "installation_id": 1,
        "account_id": 101,
        "taken_at": OPENED_AT + timedelta(seconds=seconds),
        "register_wh": register_wh,
        "last_register_wh": 2000,
    }
    return RegisterFell.model_validate(given | changes)


async def test_r6_what_the_gateway_saw_fall_is_held_too(harness, client):
    """It keeps such a reading to itself, so that rating would never learn of it."""
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    await harness.hear(fell(120, 1500))
    await harness.hear(fell(180, 1500))
    with pytest.raises(StaleState):
        await harness.read(readings((1, 240, 2100)))
    await harness.read(readings((1, 240, 2100)))
    assert await kept(harness) == ["on_hold"]
    hold = await harness.one("SELECT taken_at_s, register_wh, last_wh FROM billing_hold")
    assert hold == (OPENED_S + 120, 1500, 2000)
    await release(client)
    await harness.hear(fell(120, 1500))
    assert await harness.one("SELECT count(*) FROM billing_hold") == (1,)
    harness.partitions.forget(PARTITION)
    await harness.read(readings((1, 300, 2300)))
    assert await rated(harness) == (2300, 2)
    await harness.hear(fell(360, 1500))
    assert await harness.one("SELECT count(*) FROM billing_hold") == (2,)


async def test_r6_the_account_shows_that_its_billing_is_held(harness, client, issuer):
    customer = issuer.headers("customer", customer_id=201)

    async def held_since() -> str | None:
        answer = await client.get("/v1/accounts/101/insights", headers=customer)
        assert answer.status_code == 200, answer.text
        since: str | None = answer.json()["billing_held_since"]
        return since

    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    assert await held_since() is None
    await harness.read(readings((1, 120, 1500)))
    assert await held_since() is not None
    await release(client)
    assert await held_since() is None


async def test_a_fall_waits_for_the_opening_of_its_installation(harness):
    with pytest.raises(NotOpenedYet):
        await harness.hear(fell(120, 1500))
    await harness.hear(opened(1))
    await harness.hear(fell(120, 1500))
    await harness.read(readings((1, 180, 2000)))
    assert await kept(harness) == ["on_hold"]


async def test_a_hold_is_released_once_by_somebody_who_may(harness, client, issuer):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000), (1, 120, 1500)))
    customer = issuer.headers("customer", customer_id=201)
    place = "/v1/billing-holds/1/release"
    assert (await client.post(place, json=NOTE, headers=customer)).status_code == 403
    assert (await client.post(place, json={"reason": " "})).status_code == 422
    await release(client)
    again = await client.post(place, json=NOTE)
    assert (again.status_code, again.json()["code"]) == (409, "hold_released")
    assert (await client.post("/v1/billing-holds/9/release", json=NOTE)).status_code == 404
    assert (await client.get("/v1/billing-holds", params={"only_open": True})).json() == {
        "items": [],
        "next_cursor": None,
    }
