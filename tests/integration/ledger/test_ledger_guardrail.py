"""A bad policy must not black out a town: too many cuts wait for a person."""

from datetime import timedelta

import pytest
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

from npms_ledger.domain.guardrail import Guardrail
from npms_ledger.handlers import guardrail

PLAIN = {**POLICY, "emergency": None, "low_balance": []}
RAISED = {**PLAIN, "floor": "50"}
HOMES = 30
LIMITS = Guardrail(min_group=20)


async def settle(house, homes: int) -> list[dict]:
    """Homes on one policy, each with 10 to go."""
    await house.put_policy("town", PLAIN)
    settled = [await house.open(credit_policy="town") for _ in range(homes)]
    for home in settled:
        await house.pay(home["account_id"], 10 * M)
    return settled


@pytest.fixture
async def town(house):
    """Some homes, and limits that look at so few."""
    guardrail.use(LIMITS)
    yield await settle(house, HOMES)
    guardrail.use(Guardrail())


async def raise_floor(house, policy=RAISED, by: str = "tariff-clerk") -> None:
    await house.put_policy("town", policy, by=by)
    await decide_all(house)


async def decide_all(house) -> None:
    while await house.decide():
        pass


async def cuts(house) -> int:
    (row,) = await house.rows("SELECT count(*) AS n FROM position WHERE NOT supply_on")
    return row.n


async def mass_cuts(house, state: str = "waiting") -> list[dict]:
    return await house.items(f"/v1/mass-cuts?state={state}")


async def act(house, verb: str, mass_cut: dict, by: str = "manager"):
    return await house.agree(f"/v1/mass-cuts/{mass_cut['mass_cut_id']}", verb, subject=by)


async def test_d5_a_floor_raised_for_everyone_stops_and_asks(house):
    town = await settle(house, 200)
    before = len(await house.events("supply_desired"))
    await raise_floor(house)
    assert await cuts(house) == 0
    assert len(await house.events("supply_desired")) == before
    assert await house.events("credit_exhausted") == []
    (mass_cut,) = await mass_cuts(house)
    assert (mass_cut["credit_policy"], mass_cut["on_list"]) == ("town", 200)
    assert "more than 10 % of the accounts on 'town'" in mass_cut["ground"]
    (event,) = await house.events("mass_cut_held")
    assert event["mass_cut_id"] == mass_cut["mass_cut_id"]
    shown = await house.account(town[0]["account_id"])
    assert (shown["supply_desired"], shown["supply_reason"]) == ("on", "guardrail")
    page = await house.get(f"/v1/mass-cuts/{mass_cut['mass_cut_id']}/accounts?limit=2")
    first, _second = page.json()["items"]
    assert first["account_id"] == town[0]["account_id"]
    assert (first["credit_policy_version"], first["floor"]["amount"]) == (2, "50.000000")
    assert first["balance"]["amount"] == "10.000000"
    assert first["amount_to_clear"]["amount"] == "40.000001"
    assert page.json()["next_cursor"]
    assert await house.broken() == []


async def test_d5_a_top_up_while_waiting_takes_the_account_off_the_list(house, town):
    await raise_floor(house)
    (mass_cut,) = await mass_cuts(house)
    await house.pay(town[3]["account_id"], 41 * M)
    (mass_cut,) = await mass_cuts(house)
    assert mass_cut["on_list"] == HOMES - 1
    path = f"/v1/mass-cuts/{mass_cut['mass_cut_id']}/accounts?on_list=false&limit=500"
    left = [a for a in (await house.items(path)) if a["left_at"]]
    assert [(a["account_id"], a["left_as"]) for a in left] == [(town[3]["account_id"], "in_credit")]
    assert (await act(house, "approve", mass_cut)).status_code == 200
    await decide_all(house)
    assert await cuts(house) == HOMES - 1
    shown = await house.account(town[3]["account_id"])
    assert shown["supply_desired"] == "on"
    assert await house.broken() == []


async def test_d5_an_approved_cut_is_decided_again_not_replayed(house, town):
    await raise_floor(house)
    (mass_cut,) = await mass_cuts(house)
    approved = await act(house, "approve", mass_cut)
    assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "manager")
    protect = f"/v1/accounts/{town[0]['account_id']}/protection"
    await house.post(protect, {"protected": True})
    await house.pay(town[1]["account_id"], 41 * M)
    await decide_all(house)
    assert await cuts(house) == HOMES - 2
    assert len(await house.events("credit_exhausted")) == HOMES - 2 + 1
    path = f"/v1/accounts/{town[2]['account_id']}/supply/decisions"
    cut = (await house.items(path))[0]
    assert (cut["state"], cut["mass_cut_id"]) == ("off", mass_cut["mass_cut_id"])
    assert cut["hold_ended"] == "guardrail"
    again = await act(house, "reject", mass_cut)
    assert refusal(again) == (409, "mass_cut_decided")
    assert await house.broken() == []


async def test_d5_who_wrote_or_approved_the_policy_does_not_approve_its_cuts(house, town):
    await raise_floor(house, by="tariff-clerk")
    (mass_cut,) = await mass_cuts(house)
    for hand in ("tariff-clerk", "the-boss"):
        refused = await act(house, "approve", mass_cut, by=hand)
        assert refusal(refused) == (409, "second_person_required")
    (mass_cut,) = await mass_cuts(house)
    assert mass_cut["state"] == "waiting"


async def test_d5_cuts_that_joined_after_the_list_was_looked_at_are_not_approved(house, town):
    for home in town[:4]:
        await house.charge((home, 15 * M))
    (mass_cut,) = await mass_cuts(house)
    place = f"/v1/mass-cuts/{mass_cut['mass_cut_id']}"
    seen = (await house.get(place)).headers["ETag"]
    await house.charge((town[4], 15 * M))
    grown = await house.post(
        f"{place}/approve", {"reason": "seen"}, if_match=seen, subject="manager"
    )
    assert refusal(grown) == (412, "precondition_failed")
    await house.pay(town[4]["account_id"], 41 * M)
    seen = (await house.get(place)).headers["ETag"]
    await house.pay(town[3]["account_id"], 41 * M)
    assert (await mass_cuts(house)) == []


async def test_d5_rejected_cuts_are_not_made_and_later_decided_afresh(house, town):
    await raise_floor(house)
    (mass_cut,) = await mass_cuts(house)
    rejected = (await act(house, "reject", mass_cut)).json()
    assert rejected["state"] == "rejected"
    await decide_all(house)
    assert await cuts(house) == 0
    house.clock.at += timedelta(hours=24)
    await decide_all(house)
    assert await cuts(house) == 0
    (again,) = await mass_cuts(house)
    assert again["mass_cut_id"] != mass_cut["mass_cut_id"]
    assert again["on_list"] == HOMES
    assert await house.broken() == []


async def test_d5_a_mended_policy_empties_the_list_which_lapses(house, town):
    await raise_floor(house)
    await raise_floor(house, PLAIN)
    assert await mass_cuts(house) == []
    (lapsed,) = await mass_cuts(house, "lapsed")
    assert (lapsed["on_list"], lapsed["held"], lapsed["decided_by"]) == (0, HOMES, None)
    shown = await house.account(town[0]["account_id"])
    assert (shown["supply_desired"], shown["supply_reason"]) == ("on", "in_credit")
    assert await house.events("credit_exhausted", "credit_restored") == []
    assert await house.broken() == []


async def test_d5_ordinary_cuts_pass_until_they_are_too_many_within_the_window(house, town):
    for home in town[:3]:
        await house.charge((home, 15 * M))
    assert await cuts(house) == 3
    await house.charge((town[3], 15 * M))
    assert await cuts(house) == 3
    (mass_cut,) = await mass_cuts(house)
    assert mass_cut["on_list"] == 1
    house.clock.at += timedelta(minutes=61)
    await house.charge((town[4], 15 * M))
    assert await cuts(house) == 4
    assert await house.broken() == []


async def test_a_person_s_switching_off_is_no_cut(house, town):
    await raise_floor(house)
    closed = await house.post(f"/v1/accounts/{town[0]['account_id']}/close")
    assert closed.json()["supply_desired"] == "off"
    (mass_cut,) = await mass_cuts(house)
    assert mass_cut["on_list"] == HOMES - 1
    assert await house.broken() == []
