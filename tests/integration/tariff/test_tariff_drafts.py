"""A version is written by one person and put in force by another."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from tests.support.problems import refusal
from tests.support.tariff import agree, example, opened, put_in_force, readings

from npms_shared.contracts.tariff import PlanVersionActivated

FLAT = "/v1/plans/household-flat/versions"


def version(price: str) -> dict[str, object]:
    prices = {"periods": [{"name": "all", "blocks": [{"price": price}]}]}
    return {"valid_from": "2026-02-01T00:00:00+03:00", "document": {"energy": prices}}


@pytest.fixture
async def draft(client) -> dict[str, object]:
    answer = await client.post("/v1/plans", json=example("flat"))
    assert answer.status_code == 201
    return answer.json()


async def test_a_draft_rates_nothing_until_a_second_person_activates_it(
    client, second, harness, draft
):
    assert (draft["state"], draft["version"], draft["created_by"]) == ("draft", 1, "amina")
    assert draft["plan_version_id"] is None
    assert await harness.rows("SELECT body FROM outbox") == []
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    assert await harness.rows("SELECT reason FROM parked_reading") == [("no_plan",)]

    made = (await agree(client, f"{FLAT}/1", headers=second)).json()
    assert (made["state"], made["created_by"], made["activated_by"]) == (
        "activated", "amina", "baraka",
    )  # fmt: skip
    assert made["document"] == draft["document"]
    assert made["checksum"] == draft["checksum"]
    ((body,),) = await harness.rows("SELECT body FROM outbox")
    told = PlanVersionActivated.model_validate_json(body)
    assert told.commodity == "electricity"
    assert (told.plan_version_id, told.currency) == (made["plan_version_id"], "KES")
    await harness.read(readings((1, 120, 3000)))
    assert await harness.one("SELECT rated_wh FROM rating_state") == (2000,)


async def test_the_author_may_not_activate_what_they_wrote(client, second, harness, draft):
    assert refusal(await agree(client, f"{FLAT}/1")) == (409, "second_person_required")
    assert await harness.rows("SELECT * FROM plan_version") == []
    assert await harness.rows("SELECT body FROM outbox") == []
    replaced = await client.put(f"{FLAT}/1", json=version("2"), headers=second)
    assert replaced.json()["created_by"] == "baraka"
    refused = await agree(client, f"{FLAT}/1", headers=second)
    assert refusal(refused) == (409, "second_person_required")
    made = (await agree(client, f"{FLAT}/1")).json()
    assert (made["created_by"], made["activated_by"]) == ("baraka", "amina")
    assert made["document"]["energy"]["periods"][0]["blocks"][0]["price"] == "2.000000"


async def test_a_draft_that_was_replaced_after_it_was_looked_at_is_not_activated(
    client, second, harness, draft
):
    seen = (await client.get(f"{FLAT}/1", headers=second)).headers["ETag"]
    later = {**version("2"), "valid_from": "2026-02-02T00:00:00+03:00"}
    for body in (version("2"), later):
        assert (await client.put(f"{FLAT}/1", json=body)).status_code == 200
        answer = await client.post(f"{FLAT}/1/activate", headers={**second, "If-Match": seen})
        assert refusal(answer) == (412, "precondition_failed")
        seen = (await client.get(f"{FLAT}/1", headers=second)).headers["ETag"]
    unseen = await client.post(f"{FLAT}/1/activate", headers=second)
    assert refusal(unseen) == (428, "precondition_required")
    assert await harness.rows("SELECT * FROM plan_version") == []
    answer = await client.post(f"{FLAT}/1/activate", headers={**second, "If-Match": seen})
    assert answer.json()["valid_from"] == "2026-02-01T21:00:00Z"


async def test_an_activated_version_is_neither_replaced_nor_withdrawn(client, second, draft):
    assert (await agree(client, f"{FLAT}/1", headers=second)).status_code == 200
    for answer in (
        await agree(client, f"{FLAT}/1", headers=second),
        await client.put(f"{FLAT}/1", json=version("2")),
        await client.delete(f"{FLAT}/1"),
    ):
        assert refusal(answer) == (409, "already_activated")
    assert (await client.get(f"{FLAT}/1")).json()["document"] == draft["document"]


async def test_a_withdrawn_draft_stays_on_record_and_its_number_is_not_given_again(
    client, second, harness, draft
):
    assert (await client.delete(f"{FLAT}/1", headers=second)).status_code == 204
    shown = (await client.get(f"{FLAT}/1")).json()
    assert (shown["state"], shown["withdrawn_by"]) == ("withdrawn", "baraka")
    for answer in (
        await agree(client, f"{FLAT}/1", headers=second),
        await client.put(f"{FLAT}/1", json=version("2")),
        await client.delete(f"{FLAT}/1"),
    ):
        assert refusal(answer) == (409, "draft_withdrawn")
    assert (await client.post(FLAT, json=version("3"))).json()["version"] == 2
    assert refusal(await client.post("/v1/plans", json=example("flat"))) == (409, "plan_exists")


async def test_of_what_is_not_there_nothing_is_activated(client, second, draft):
    for place in (f"{FLAT}/2", "/v1/plans/none/versions/1"):
        assert refusal(await agree(client, place, headers=second))[0] == 404
        assert refusal(await client.put(place, json=version("2")))[0] == 404
        assert refusal(await client.delete(place))[0] == 404


async def test_a_draft_that_cannot_rate_is_refused_before_it_is_kept(client, draft):
    wrong = version("2") | {"document": {"energy": {"periods": []}}}
    for answer in (
        await client.post(FLAT, json=wrong),
        await client.put(f"{FLAT}/1", json=wrong),
    ):
        assert answer.status_code == 422
    assert (await client.get(f"{FLAT}/1")).json()["document"] == draft["document"]


async def test_two_who_activate_at_once_do_it_once(client, second, issuer, harness, draft):
    third = issuer.headers("operator", subject="cheche")
    answers = await asyncio.gather(
        *(agree(client, f"{FLAT}/1", headers=who) for who in (second, third))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await harness.one("SELECT count(*) FROM plan_version") == (1,)
    assert await harness.one("SELECT count(*) FROM outbox") == (1,)


async def test_two_who_draft_at_once_get_numbers_of_their_own(client, draft):
    answers = await asyncio.gather(*(client.post(FLAT, json=version(str(n))) for n in range(4)))
    assert sorted(answer.json()["version"] for answer in answers) == [2, 3, 4, 5]


async def test_drafts_are_activated_in_any_order(client, second, draft):
    for price in ("2", "3"):
        await client.post(FLAT, json=version(price))
    assert (await agree(client, f"{FLAT}/3", headers=second)).status_code == 200
    listed = (await client.get(FLAT)).json()["items"]
    assert [one["state"] for one in listed] == ["draft", "draft", "activated"]


async def test_the_database_too_wants_two_people(client, second, harness):
    await put_in_force(client, second, example("flat"))
    again = """
        INSERT INTO plan_version (plan_code, version, valid_from, document, checksum,
                                  created_at, created_by, activated_at, activated_by)
        SELECT plan_code, 9, valid_from, document, checksum, created_at, 'amina',
               activated_at, 'amina' FROM plan_version
    """
    async with harness.database.connect() as conn:
        with pytest.raises(IntegrityError, match="two_people"):
            await conn.execute(text(again))
    async with harness.database.connect() as conn:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await conn.execute(text("UPDATE plan_version SET created_by = 'nobody'"))
