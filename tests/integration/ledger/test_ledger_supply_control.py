"""People keep supplies on, protection ends, limits come before cuts, clocks run, reasons stay."""

from datetime import timedelta

import pytest
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

from npms_shared.contracts.meter_gateway import ProfilePublished, SupplyReported

LIMITING = {**POLICY, "emergency": None, "load_limit": {"power_w": 500, "for_minutes": 60}}
PLAIN = {**POLICY, "emergency": None}


async def exhaust(house, **changes):
    """An account that had 10 and used 15; cut, unless something keeps it."""
    opened = await house.open(**{"credit_policy": PLAIN, **changes})
    await house.pay(opened["account_id"], 10 * M)
    await house.charge((opened, 15 * M))
    return opened


def later(house, **delta) -> str:
    return (house.clock.now() + timedelta(**delta)).isoformat()


async def keep_on(house, opened, until: str, **claims):
    path = f"/v1/accounts/{opened['account_id']}/keep-on"
    return await house.post(path, {"until": until, "reason": "oxygen at home"}, **claims)


async def desired(house, opened) -> list[tuple[str, str, int | None]]:
    said = await house.events("supply_desired")
    return [
        (s["state"], s["reason"], s["limit_w"])
        for s in said
        if s["account_id"] == opened["account_id"]
    ]


async def supply_of(house, opened) -> tuple[str, str]:
    shown = await house.account(opened["account_id"])
    return shown["supply_desired"], shown["supply_reason"]


async def report(house, opened, state: str, *, verified: bool = True) -> None:
    supply = (await house.account(opened["account_id"]))["supply"][0]
    event = SupplyReported(
        installation_id=opened["installation_id"],
        account_id=opened["account_id"],
        state=state,
        desired_revision=supply["desired"]["revision"],
        verified=verified,
        observed_at=house.clock.now(),
    )
    await house.receive("ledger.supply", event)


async def test_d9_a_forced_keep_on_overrides_automation_until_its_expiry(house):
    opened = await house.open(credit_policy=PLAIN)
    await house.pay(opened["account_id"], 10 * M)
    until = house.clock.now() + timedelta(hours=30)
    answer = await keep_on(house, opened, until.isoformat(), subject="amina")
    assert answer.status_code == 200, answer.text
    await house.charge((opened, 15 * M))
    assert await supply_of(house, opened) == ("on", "kept_on")
    shown = await house.account(opened["account_id"])
    assert shown["keep_on"]["reason"] == "oxygen at home"
    assert shown["keep_on"]["placed_by"] == "amina"
    supply = await house.items(f"/v1/accounts/{opened['account_id']}/supply")
    assert supply[0]["keep_on"] == shown["keep_on"]
    house.clock.at = until - timedelta(seconds=1)
    await house.decide()
    assert await supply_of(house, opened) == ("on", "kept_on")
    house.clock.at = until
    await house.decide()
    assert await supply_of(house, opened) == ("off", "exhausted")
    assert (await house.account(opened["account_id"]))["keep_on"] is None
    (entry,) = await house.items(f"/v1/accounts/{opened['account_id']}/keep-on")
    assert (entry["placed_by"], entry["lifted_by"]) == ("amina", None)
    assert await house.broken() == []


async def test_d9_a_keep_on_brings_back_who_was_cut_and_can_be_taken_back(house):
    opened = await exhaust(house)
    assert await supply_of(house, opened) == ("off", "exhausted")
    await keep_on(house, opened, later(house, days=1), subject="amina")
    assert await supply_of(house, opened) == ("on", "kept_on")
    path = f"/v1/accounts/{opened['account_id']}/keep-on"
    gone = await house.client.delete(path, headers=house.headers(subject="brian"))
    assert gone.json()["supply_desired"] == "off"
    again = await house.client.delete(path, headers=house.headers())
    assert refusal(again) == (409, "not_kept_on")
    (entry,) = await house.items(path)
    assert (entry["placed_by"], entry["lifted_by"]) == ("amina", "brian")
    page = await house.get(f"/v1/accounts/{opened['account_id']}/supply/decisions")
    newest = page.json()["items"][:2]
    assert [(d["decided_by"], d["subject"]) for d in newest] == [
        ("person", "brian"),
        ("person", "amina"),
    ]
    assert await house.broken() == []


async def test_a_keep_on_ends_later_than_now_and_is_no_customer_s(house):
    opened = await exhaust(house)
    past = await keep_on(house, opened, later(house, seconds=0))
    assert refusal(past) == (422, "not_in_future")
    own = {"roles": ("customer",), "customer_id": opened["customer_id"]}
    assert (await keep_on(house, opened, later(house, days=1), **own)).status_code == 403
    assert await supply_of(house, opened) == ("off", "exhausted")


async def test_c6_a_protected_customer_is_never_cut_but_reviewed_once(house):
    opened = await exhaust(house, protected=True)
    assert await supply_of(house, opened) == ("on", "protected")
    await house.charge((opened, 5 * M))
    (task,) = await house.items("/v1/review-tasks?done=false")
    assert task["account_id"] == opened["account_id"]
    await house.charge((opened, 5 * M))
    (task,) = await house.items("/v1/review-tasks?done=false")
    assert task["owed_now"]["amount"] == "15.000001"
    done = f"/v1/review-tasks/{task['review_task_id']}/finish"
    answer = await house.post(done, {"note": "visited"}, subject="amina")
    assert (answer.json()["done_by"], answer.json()["note"]) == ("amina", "visited")
    assert (await house.post(done, {"note": "again"})).json()["code"] == "task_done"
    assert await house.items("/v1/review-tasks?done=false") == []
    await house.charge((opened, 5 * M))
    assert await house.items("/v1/review-tasks?done=false") == []
    assert await supply_of(house, opened) == ("on", "protected")
    assert await house.broken() == []


async def test_c6_the_end_of_protection_is_told_and_decides_again(house):
    opened = await house.open(credit_policy=PLAIN)
    await house.pay(opened["account_id"], 10 * M)
    until = house.clock.now() + timedelta(days=2)
    path = f"/v1/accounts/{opened['account_id']}/protection"
    answer = await house.post(path, {"protected": True, "until": until.isoformat()})
    assert answer.json()["protected_until"] is not None
    await house.charge((opened, 15 * M))
    assert await supply_of(house, opened) == ("on", "protected")
    assert await house.events("protection_expired") == []
    house.clock.at = until
    await house.decide()
    (expired,) = await house.events("protection_expired")
    assert expired["amount_to_clear_micro"] == 5 * M + 1
    assert await supply_of(house, opened) == ("off", "exhausted")
    await house.decide()
    assert len(await house.events("protection_expired")) == 1
    (cut, *_) = (await house.get(f"/v1/accounts/{opened['account_id']}/supply/decisions")).json()[
        "items"
    ]
    assert (cut["hold_ended"], cut["decided_by"]) == ("protected", "scheduler")
    assert await house.broken() == []


async def test_c6_the_end_of_protection_is_told_also_to_who_is_in_credit(house):
    opened = await house.open(credit_policy=PLAIN)
    await house.pay(opened["account_id"], 10 * M)
    until = house.clock.now() + timedelta(days=2)
    path = f"/v1/accounts/{opened['account_id']}/protection"
    await house.post(path, {"protected": True, "until": until.isoformat()})
    house.clock.at = until
    await house.decide()
    (expired,) = await house.events("protection_expired")
    assert expired["amount_to_clear_micro"] == 0
    shown = await house.account(opened["account_id"])
    assert (shown["protected"], shown["supply_reason"]) == (False, "in_credit")


class TestLoadLimit:
    @pytest.fixture
    async def house(self, house):
        profile = ProfilePublished(
            profile="p1", vendor="v", model="m", has_relay=True, can_limit=True
        )
        await house.receive("ledger.catalogue", profile)
        return house

    async def test_the_load_is_limited_before_the_cut(self, house):
        opened = await exhaust(house, credit_policy=LIMITING)
        assert await supply_of(house, opened) == ("on", "load_limited")
        (event,) = await house.events("credit_exhausted")
        assert event["keeps_supply_reason"] == "load_limited"
        house.clock.at += timedelta(minutes=59)
        await house.decide()
        assert await supply_of(house, opened) == ("on", "load_limited")
        house.clock.at += timedelta(minutes=1)
        await house.decide()
        assert await supply_of(house, opened) == ("off", "exhausted")
        assert (await desired(house, opened))[-2:] == [
            ("on", "load_limited", 500),
            ("off", "exhausted", None),
        ]
        assert await house.broken() == []

    async def test_a_top_up_lifts_the_limit(self, house):
        opened = await exhaust(house, credit_policy=LIMITING)
        await house.pay(opened["account_id"], 20 * M)
        assert (await desired(house, opened))[-2:] == [
            ("on", "load_limited", 500),
            ("on", "in_credit", None),
        ]
        assert await house.rows("SELECT 1 FROM reconnection WHERE revision > 2") == []
        assert await house.broken() == []


async def test_a_meter_that_cannot_limit_is_cut_at_once(house):
    opened = await exhaust(house, credit_policy=LIMITING)
    assert await supply_of(house, opened) == ("off", "exhausted")


async def test_d10_the_time_from_payment_to_closed_relay_is_measured(house):
    opened = await exhaust(house)
    await report(house, opened, "off")
    await house.pay(opened["account_id"], 20 * M)
    path = f"/v1/reconnections?account_id={opened['account_id']}"
    house.clock.at += timedelta(hours=1, minutes=59)
    assert await house.items(path + "&breached=true") == []
    await report(house, opened, "off")
    await report(house, opened, "on", verified=False)
    house.clock.at += timedelta(minutes=2)
    (breach,) = await house.items(path + "&breached=true")
    assert (breach["verified_at"], breach["breached"]) == (None, True)
    house.clock.at += timedelta(minutes=9)
    await report(house, opened, "on")
    (closed,) = await house.items(path + "&breached=true")
    assert closed["took_s"] == 2 * 3600 + 600
    within = await house.items(path + "&breached=false")
    assert [r["revision"] for r in within] == [2], "cut again at once, before it was seen on"


async def test_d10_a_quick_reconnection_is_no_breach_and_counts_once(house):
    opened = await exhaust(house)
    await house.pay(opened["account_id"], 20 * M)
    house.clock.at += timedelta(seconds=40)
    await report(house, opened, "on")
    house.clock.at += timedelta(seconds=40)
    await report(house, opened, "on")
    page = (await house.get(f"/v1/reconnections?account_id={opened['account_id']}")).json()
    newest = page["items"][0]
    assert (newest["took_s"], newest["breached"]) == (40.0, False)
    assert newest["settled_at"] <= newest["heard_at"] <= newest["desired_at"]


async def test_d10_who_is_cut_again_before_it_was_seen_is_not_waited_for(house):
    opened = await exhaust(house)
    await house.pay(opened["account_id"], 20 * M)
    await house.charge((opened, 40 * M))
    house.clock.at += timedelta(days=1)
    page = await house.get(f"/v1/reconnections?account_id={opened['account_id']}&breached=true")
    assert page.json()["items"] == []


async def test_o6_every_change_of_supply_says_why(house):
    opened = await exhaust(house)
    payment = await house.pay(opened["account_id"], 20 * M)
    path = f"/v1/accounts/{opened['account_id']}/supply/decisions"
    own = {"roles": ("customer",), "customer_id": opened["customer_id"]}
    restored, cut, credited, first = await house.items(path, **own)
    assert [d["state"] for d in (first, credited, cut, restored)] == ["off", "on", "off", "on"]
    assert (cut["reason"], cut["decided_by"]) == ("exhausted", "charge")
    assert (cut["balance"]["amount"], cut["floor"]["amount"]) == ("-5.000000", "0.000000")
    assert cut["amount_to_clear"]["amount"] == "5.000001"
    assert (cut["credit_policy"], cut["credit_policy_version"]) == (
        opened["credit_policy"],
        1,
    )
    journals = await house.rows("SELECT journal_id FROM journal WHERE kind = 'charges'")
    assert cut["journal_id"] in [str(row.journal_id) for row in journals]
    assert (restored["decided_by"], restored["payment_id"]) == (
        "payment",
        str(payment.payment_id),
    )
    page = (await house.get(path + "?limit=3")).json()
    rest = (await house.get(f"{path}?cursor={page['next_cursor']}")).json()
    assert [d["revision"] for d in (*page["items"], *rest["items"])] == [4, 3, 2, 1]
    stranger = {"roles": ("customer",), "customer_id": opened["customer_id"] + 1}
    assert (await house.get(path, **stranger)).status_code == 404


async def test_o6_a_cut_names_the_hold_that_ended(house):
    night = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "17:00"}]
    opened = await exhaust(house, credit_policy={**PLAIN, "friendly_hours": night})
    assert await supply_of(house, opened) == ("on", "friendly_hours")
    house.clock.at += timedelta(hours=2)
    await house.decide()
    path = f"/v1/accounts/{opened['account_id']}/supply/decisions"
    cut = (await house.items(path))[0]
    assert (cut["state"], cut["hold_ended"]) == ("off", "friendly_hours")
    assert (cut["decided_by"], cut["journal_id"]) == ("scheduler", None)


NIGHT = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "17:00"}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"credit_policy": {**PLAIN, "friendly_hours": NIGHT}}, "friendly_hours"),
        ({"protected": True}, "protected"),
    ],
)
async def test_l8_while_something_holds_no_opening_is_asked_for_and_the_overdraft_counts(
    house, changes, reason
):
    opened = await exhaust(house, **changes)
    await house.charge((opened, 7 * M))
    await house.decide()
    assert await supply_of(house, opened) == ("on", reason)
    assert "off" not in [state for state, _, _ in (await desired(house, opened))[1:]]
    shown = await house.account(opened["account_id"])
    assert shown["balance"]["amount"] == "-12.000000"
    assert await house.broken() == []


async def say(house, opened, awaits: str, **changes) -> None:
    """What the gateway says of the newest desired state."""
    supply = (await house.account(opened["account_id"]))["supply"][0]["desired"]
    values = {
        "installation_id": opened["installation_id"],
        "account_id": opened["account_id"],
        "state": "unknown",
        "desired_revision": supply["revision"],
        "desired_state": supply["state"],
        "verified": False,
        "observed_at": house.clock.now(),
        "detail": "not reached: suspended",
        "awaits": awaits,
    }
    await house.receive("ledger.supply", SupplyReported(**{**values, **changes}))


async def exceptions(house, query: str = "") -> list[dict]:
    answer = await house.get(f"/v1/supply-exceptions{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_d6_a_cut_that_cannot_be_made_is_an_exception_with_its_exposure(house):
    opened = await exhaust(house)
    assert await exceptions(house) == [], "it has a minute to follow"
    await say(house, opened, "link")
    house.clock.at += timedelta(hours=3)
    await house.charge((opened, 4 * M), (opened, 2 * M))
    (found,) = await exceptions(house)
    assert (found["installation_id"], found["desired"]) == (opened["installation_id"], "off")
    assert (found["reason"], found["why"]) == ("exhausted", "link")
    assert found["exposure"]["amount"] == "6.000000"
    assert found["detail"] == "not reached: suspended"
    assert await exceptions(house, "?older_than_s=20000") == []
    assert await exceptions(house, "?desired=on") == []
    assert await house.events("reconnection_waits") == [], "nobody waits for a cut"
    await report(house, opened, "off")
    assert await exceptions(house) == []


async def test_d6_who_paid_and_cannot_be_reached_is_told_and_the_clock_runs(house):
    opened = await exhaust(house)
    await report(house, opened, "off")
    await house.pay(opened["account_id"], 20 * M)
    await say(house, opened, "link")
    (event,) = await house.events("reconnection_waits")
    assert (event["account_id"], event["awaits"]) == (opened["account_id"], "link")
    house.clock.at += timedelta(hours=3)
    (found,) = await exceptions(house)
    assert (found["desired"], found["why"]) == ("on", "link")
    assert found["exposure"]["amount"] == "0.000000"
    assert found["paid_at"] is not None
    path = f"/v1/reconnections?account_id={opened['account_id']}&breached=true"
    assert len(await house.items(path)) == 1
    await report(house, opened, "on")
    assert await exceptions(house) == []


async def test_a_cut_that_the_gateway_does_not_make_is_an_exception_with_its_cause(house):
    opened = await exhaust(house)
    await say(house, opened, "", blocked_by="suspect", detail="not switched: 9 answers")
    house.clock.at += timedelta(minutes=5)
    (found,) = await exceptions(house)
    assert (found["why"], found["reported"]) == ("suspect", "unknown")
    (shown,) = await house.items(f"/v1/accounts/{opened['account_id']}/supply")
    assert shown["reported"]["blocked_by"] == "suspect"
    await say(house, opened, "", blocked_by="a cause of tomorrow")
    assert [one["why"] for one in await exceptions(house)] == ["relay"]
    await report(house, opened, "off")
    assert await exceptions(house) == []


async def test_d6_a_meter_that_cannot_be_reached_for_its_first_state_worries_nobody(house):
    opened = await house.open(credit_policy=PLAIN)
    await house.pay(opened["account_id"], 10 * M)
    await report(house, opened, "on")
    await keep_on(house, opened, later(house, days=1))
    await say(house, opened, "link")
    assert await house.events("reconnection_waits") == []


async def test_l5_d4_a_customer_is_told_to_press_the_button(house):
    opened = await exhaust(house)
    await report(house, opened, "off")
    await house.pay(opened["account_id"], 20 * M)
    await say(house, opened, "customer", state="off", verified=True, detail="")
    (event,) = await house.events("reconnection_waits")
    assert (event["account_id"], event["awaits"]) == (opened["account_id"], "customer")
    own = {"roles": ("customer",), "customer_id": opened["customer_id"]}
    supplies = await house.get(f"/v1/accounts/{opened['account_id']}/supply", **own)
    (shown,) = supplies.json()["items"]
    assert shown["reported"]["awaits"] == "customer"
    house.clock.at += timedelta(minutes=5)
    (found,) = await exceptions(house)
    assert (found["why"], found["reported"]) == ("customer", "off")
    await report(house, opened, "on")
    assert await exceptions(house) == []
