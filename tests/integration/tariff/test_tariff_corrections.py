"""What was rated wrongly is corrected by entries of its own; what was said before stays said.

The measure is a twin: another installation whose readings and prices were right from the
beginning.
"""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.support.tariff import (
    OPENED_AT,
    OPENED_S,
    TariffHarness,
    agree,
    example,
    opened,
    put_in_force,
    work_off_corrections,
)

from npms_shared.contracts.ledger import InstallationClosed
from npms_shared.db.engine import Database
from npms_tariff.handlers import run_corrections
from npms_tariff.handlers.run_corrections import correct_batch

pytestmark = pytest.mark.usefixtures("plans")
HOUR_S, DAY_S = 3600, 86_400
REASON = "The regulator's price holds from 5 November"
PLAN = {"kind": "plan", "version": 2, "reason": REASON}
MONTH_S = 28 * DAY_S + 16 * HOUR_S
"""From the opening on 2 November, 08:00 in Nairobi, to 1 December."""


def at(seconds: int) -> str:
    return (OPENED_AT + timedelta(seconds=seconds)).isoformat()


async def use(harness: TariffHarness, installation_id: int, hours: range, *, wh: int = 700) -> None:
    rows = [(installation_id, hour * HOUR_S, 1000 + hour * wh) for hour in hours]
    await harness.read_through(*rows)


async def date_back(client, second, name: str, seconds: int, factor: int = 2) -> None:
    """A version of an example plan, so many times as dear, from so long after the opening."""
    plan = example(name)
    for period in plan["document"]["energy"]["periods"]:
        for block in period["blocks"]:
            block["price"] = str(float(block["price"]) * factor)
    version = {key: plan[key] for key in ("plan_code", "document")} | {"valid_from": at(seconds)}
    await put_in_force(client, second, version)


async def lines_of(client, body: dict) -> list[dict]:
    answer = await client.post("/v1/correction-previews", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def request(client, body: dict) -> str:
    answer = await client.post("/v1/corrections", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["correction_id"]


async def correct(client, second, harness: TariffHarness, body: dict) -> dict:
    """Asked for by Amina, approved by Baraka, worked off."""
    correction_id = await request(client, body)
    answer = await agree(client, f"/v1/corrections/{correction_id}", "approve", second)
    assert answer.status_code == 200, answer.text
    await work_off_corrections(harness.context)
    return (await client.get(f"/v1/corrections/{correction_id}")).json()


async def hours_of(harness: TariffHarness, installation_id: int) -> list[tuple]:
    return await harness.rows(
        "SELECT hour_s, energy_wh, amount_micro FROM usage_hour "
        "WHERE installation_id = :id AND (energy_wh, amount_micro) <> (0, 0) ORDER BY 1",
        id=installation_id,
    )


async def accumulated(harness: TariffHarness, installation_id: int) -> tuple:
    return await harness.one(
        "SELECT plan_version_id, month, slots, days, demand, hour_wh, hour_micro, rated_wh "
        "FROM rating_state WHERE installation_id = :id",
        id=installation_id,
    )


async def assert_plans_used_what_installations_did(harness: TariffHarness) -> None:
    of_hours, of_plan_hours, of_plan_days = [
        await harness.one(f"SELECT sum(energy_wh), sum(amount_micro) FROM {table}")  # noqa: S608
        for table in ("usage_hour", "usage_plan_hour", "usage_plan_day")
    ]
    assert of_plan_hours == of_plan_days == of_hours


async def assert_like_twins(harness: TariffHarness, one: int, twin: int) -> None:
    await assert_plans_used_what_installations_did(harness)
    assert await harness.charged_micro(one) == await harness.charged_micro(twin)
    assert await hours_of(harness, one) == await hours_of(harness, twin)
    assert await accumulated(harness, one) == await accumulated(harness, twin)
    await harness.assert_rules_hold()


@pytest.mark.parametrize("name", ["flat", "time-of-use", "inclining-blocks"])
async def test_r3_a_version_dated_back_is_made_good_by_entries_of_its_own(
    harness, client, second, name
):
    code = example(name)["plan_code"]
    body = PLAN | {"plan_code": code}
    await harness.hear(opened(1, plan_code=code))
    await harness.hear(opened(2, plan_code=code))
    await use(harness, 1, range(1, 24 * 35))
    await use(harness, 2, range(1, 24))
    said = await harness.charges()
    await date_back(client, second, name, 3 * DAY_S)
    line, total = await lines_of(client, body)
    assert (line["installation_id"], line["account_id"]) == (1, 101)
    assert [month["month"] for month in line["months"]] == ["2026-11", "2026-12"]
    assert total["total"]["amounts"] == {"KES": line["amount"]}
    assert await harness.adjustments() == []
    done = await correct(client, second, harness, body)
    assert (done["state"], done["corrected"], done["refused"]) == ("done", 1, 0)
    assert done["amounts"] == [{"amount": line["amount"], "currency": "KES"}]
    november, december = await harness.adjustments()
    assert (november.kind, november.reason) == ("correction", REASON)
    assert (november.from_s - OPENED_S, november.to_s - OPENED_S) == (3 * DAY_S, MONTH_S)
    assert (december.from_s - OPENED_S, december.to_s) == (MONTH_S, OPENED_S + 839 * HOUR_S)
    assert november.amount_micro > 0
    assert [batch.lines for batch in await harness.charges()] == [batch.lines for batch in said]
    await harness.hear(opened(3, plan_code=code))
    await use(harness, 3, range(1, 24 * 35))
    await assert_like_twins(harness, 1, 3)
    await harness.read_through((1, 24 * 40 * HOUR_S, 900_000), (3, 24 * 40 * HOUR_S, 900_000))
    await assert_like_twins(harness, 1, 3)


async def test_a_correction_is_approved_by_another_person(client, second, harness, issuer):
    await harness.hear(opened(1))
    await use(harness, 1, range(1, 24 * 5))
    await date_back(client, second, "flat", DAY_S)
    body = PLAN | {"plan_code": "household-flat"}
    place = f"/v1/corrections/{await request(client, body)}"
    own = await agree(client, place, "approve")
    assert (own.status_code, own.json()["code"]) == (409, "second_person_required")
    await work_off_corrections(harness.context)
    assert await harness.adjustments() == []
    unseen = await client.post(f"{place}/approve", headers=second)
    assert (unseen.status_code, unseen.json()["code"]) == (428, "precondition_required")
    rejected = await client.post(f"{place}/reject", json={"reason": "asked for by mistake"})
    assert rejected.json()["state"] == "rejected"
    late = await agree(client, place, "approve", second)
    assert (late.status_code, late.json()["code"]) == (409, "correction_decided")
    customer = issuer.headers("customer", customer_id=201)
    assert (await client.post("/v1/corrections", json=body, headers=customer)).status_code == 403
    async with harness.database.transaction() as conn:
        with pytest.raises(Exception, match="check constraint"):
            await conn.execute(
                text("UPDATE correction SET state = 'approved', decided_by = requested_by")
            )


async def test_a_correction_goes_on_where_it_stopped_and_corrects_each_once(
    harness, client, second, monkeypatch
):
    monkeypatch.setattr(run_corrections, "BATCH", 2)
    for i in range(1, 6):
        await harness.hear(opened(i))
        await use(harness, i, range(1, 24 * 4), wh=100 * i)
    await date_back(client, second, "flat", DAY_S)
    correction_id = await request(client, PLAN | {"plan_code": "household-flat"})
    place = f"/v1/corrections/{correction_id}"
    await agree(client, place, "approve", second)
    async with harness.database.transaction() as conn:
        await correct_batch(conn, harness.context)
    assert (await client.get(place)).json()["corrected"] == 2

    class Crash(Exception):
        pass

    with pytest.raises(Crash):
        async with harness.database.transaction() as conn:
            await correct_batch(conn, harness.context)
            raise Crash
    await work_off_corrections(harness.context)
    shown = (await client.get(place)).json()
    assert (shown["state"], shown["corrected"]) == ("done", 5)
    assert len(await harness.adjustments()) == 5
    first = (await client.get(f"{place}/installations", params={"limit": 3})).json()
    rest = await client.get(f"{place}/installations", params={"cursor": first["next_cursor"]})
    items = first["items"] + rest.json()["items"]
    assert [item["installation_id"] for item in items] == [1, 2, 3, 4, 5]
    told = {str(e.adjustment_id) for e in await harness.adjustments()}
    assert {month["adjustment_id"] for item in items for month in item["months"]} == told
    listed = (await client.get("/v1/corrections")).json()["items"]
    assert [one["correction_id"] for one in listed] == [correction_id]
    await harness.assert_rules_hold()


async def test_wrong_registers_between_right_ones_are_corrected(harness, client, second):
    """Somebody read 40 kWh too early; block by block it costs what it should have."""
    code = "household-blocks"
    hours = range(1, 24 * 31)
    wrong = [(HOUR_S * h, 1000 + 9000 * h + (40_000 if h >= 3 else 0)) for h in hours]
    right = [(HOUR_S * h, 1000 + 9000 * h + (40_000 if h >= 29 else 0)) for h in hours]
    await harness.hear(opened(1, plan_code=code))
    await harness.hear(opened(2, plan_code=code))
    await harness.read_through(*[(1, *one) for one in wrong])
    await harness.read_through(*[(2, *one) for one in right])
    registers = [
        {"at": at(at_s), "register": {"value": f"{wh / 1000:.3f}"}} for at_s, wh in right[2:28]
    ]
    body = {
        "kind": "readings",
        "installation_id": 1,
        "from": at(HOUR_S * 2),
        "to": at(HOUR_S * 29),
        "registers": registers,
        "reason": "Misread on site",
    }
    done = await correct(client, second, harness, body)
    assert (done["corrected"], done["refused"]) == (1, 0)
    assert await hours_of(harness, 1) == await hours_of(harness, 2)
    await assert_like_twins(harness, 1, 2)
    (before,) = await harness.one("SELECT before FROM correction_item")
    changed = {int(hour_s) - OPENED_S: wh for hour_s, (wh, _) in before["hours"].items()}
    assert changed[2 * HOUR_S] == 49_000
    assert sum(e.energy_wh for e in await harness.adjustments()) == 0


async def test_k1_a_wrong_clock_is_corrected_by_moving_energy_between_prices(
    harness, client, second
):
    """An hour slow over the evening: what looked like the peak was already the night."""
    code = "household-tou"
    for i in (1, 2):
        await harness.hear(opened(i, plan_code=code))
    shape = [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 3000, 3000, 3000, 3000, 100, 100]
    registers = [1000]
    for hour in range(1, 24 * 3):
        registers.append(registers[-1] + shape[hour % 16])
    points = [(HOUR_S * hour, wh) for hour, wh in enumerate(registers)][1:]
    await harness.read_through(*[(1, *one) for one in points])
    begin, end = 5 * HOUR_S, 45 * HOUR_S
    true = [p for p in points if p[0] <= begin]
    true += [(at_s + HOUR_S, wh) for at_s, wh in points if begin < at_s < end - HOUR_S]
    true += [p for p in points if p[0] >= end]
    await harness.read_through(*[(2, *one) for one in true])
    body = {
        "kind": "clock",
        "installation_id": 1,
        "from": at(begin),
        "to": at(end),
        "shift_s": 3600,
        "reason": "The meter's clock was an hour slow",
    }
    (line, _) = await lines_of(client, body)
    done = await correct(client, second, harness, body)
    assert done["amounts"] == [{"amount": line["amount"], "currency": "KES"}]
    assert float(line["amount"]) != 0
    await assert_like_twins(harness, 1, 2)
    (event,) = await harness.adjustments()
    periods = {period for component, period, *_ in event.lines if component == "energy"}
    assert "peak" in periods
    assert sum(wh for _, _, _, wh, _ in event.lines) == 0


async def test_closed_and_replaced_meters_are_corrected_in_the_blocks_of_their_month(
    harness, client, second
):
    code = "household-blocks"
    for i in (1, 3):
        await _swap(harness, i, code)
    await date_back(client, second, "inclining-blocks", 2 * DAY_S)
    for i in (5,):
        await _swap(harness, i, code)
    done = await correct(client, second, harness, PLAN | {"plan_code": code})
    assert done["refused"] == 0
    for old, new in ((1, 2), (3, 4)):
        assert await harness.charged_micro(old) == await harness.charged_micro(5)
        assert await harness.charged_micro(new) == await harness.charged_micro(6)
    await harness.assert_rules_hold()


async def _swap(harness: TariffHarness, old: int, code: str) -> None:
    """A meter, closed after six days, and another in its place."""
    await harness.hear(opened(old, plan_code=code))
    await use(harness, old, range(1, 24 * 6), wh=4000)
    closed_at = OPENED_AT + timedelta(days=6)
    await harness.hear(
        InstallationClosed(
            installation_id=old,
            account_id=old + 100,
            closing_register_wh=1000 + 24 * 6 * 4000,
            closed_at=closed_at,
        )
    )
    await harness.hear(
        opened(
            old + 1,
            plan_code=code,
            opened_at=closed_at,
            opening_register_wh=0,
            replaces_installation_id=old,
        )
    )
    rows = [(old + 1, 6 * DAY_S + hour * HOUR_S, hour * 4000) for hour in range(1, 24 * 6)]
    await harness.read_through(*rows)


READINGS = {
    "kind": "readings",
    "installation_id": 1,
    "from": at(2 * HOUR_S),
    "to": at(4 * HOUR_S),
    "registers": [{"at": at(3 * HOUR_S), "register": {"value": "2.500"}}],
    "reason": "Misread",
}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from": at(2 * HOUR_S + 60)}, "not_whole_hours"),
        ({"to": at(400 * HOUR_S)}, "outside"),
        ({"registers": [{"at": at(3 * HOUR_S), "register": {"value": "900"}}]}, "register_falls"),
        ({"registers": [{"at": at(5 * HOUR_S), "register": {"value": "3"}}]}, "times_out_of_order"),
        ({"installation_id": 9}, "unknown_installation"),
        ({"from": at(500 * HOUR_S), "to": at(501 * HOUR_S)}, "not_rated_yet"),
        ({"shift_s": 60}, "invalid_correction"),
        ({"registers": []}, "invalid_correction"),
        ({"kind": "clock"}, "invalid_correction"),
        ({"kind": "plan"}, "invalid_correction"),
    ],
)
async def test_what_cannot_be_corrected_is_refused(harness, client, changes, code):
    await harness.hear(opened(1))
    await use(harness, 1, range(1, 24 * 3))
    answer = await client.post("/v1/corrections", json=READINGS | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert await harness.one("SELECT count(*) FROM correction") == (0,)


async def test_what_does_not_fit_the_kind_is_named(client):
    answer = await client.post(
        "/v1/corrections", json={"kind": "plan", "reason": "x", "shift_s": 5}
    )
    places = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert places == [
        ("/plan_code", "missing"), ("/shift_s", "not_of_this_kind"), ("/version", "missing"),
    ]  # fmt: skip
    unknown = PLAN | {"plan_code": "nowhere"}
    assert (await client.post("/v1/corrections", json=unknown)).status_code == 404
    nobody = "/v1/corrections/01938f6e-7b52-7c1a-9d3e-0242ac120002"
    assert (await client.get(nobody)).status_code == 404


async def test_hours_no_longer_kept_are_refused_one_by_one(
    harness, client, second, tariff_database
):
    await harness.hear(opened(1))
    await use(harness, 1, range(1, 24 * 3))
    await date_back(client, second, "flat", DAY_S)
    owner = Database(tariff_database.migration_url)
    async with owner.transaction() as conn:
        await conn.execute(
            text("UPDATE usage_kept SET hours_from_s = :at"), {"at": OPENED_S + HOUR_S}
        )
    await owner.close()
    body = PLAN | {"plan_code": "household-flat"}
    assert (await lines_of(client, body))[0] == {"installation_id": 1, "refused": "too_far_back"}
    done = await correct(client, second, harness, body)
    assert (done["state"], done["corrected"], done["refused"]) == ("done", 0, 1)
    place = f"/v1/corrections/{done['correction_id']}/installations"
    (item,) = (await client.get(place)).json()["items"]
    assert (item["refusal"], item["amount"]["amount"]) == ("too_far_back", "0.000000")
    assert await harness.adjustments() == []
