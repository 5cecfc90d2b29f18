"""Debts, grants, first-vend charges, grace: on a database, over REST, by the scheduler."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

from npms_shared.contracts.tariff import PlanVersionActivated, VendCharge
from npms_shared.ids import new_id

KES = "KES"
STEPS = ["vend_charges", "payment_debt", "accumulated", "emergency_credit"]
FREE = {
    "label": "free units",
    "amount": {"amount": "30", "currency": KES},
    "monthly": True,
    "rollover_max": {"amount": "10", "currency": KES},
    "reason": "indigent register",
}
WEEKLY = {
    "label": "arrears of 2025",
    "kind": "time",
    "amount": {"amount": "10", "currency": KES},
    "rate": {"amount": "4", "period": "week"},
    "reason": "agreed on 3 March",
}


async def add(house, opened, what, body):
    if what == "credits":
        return await house.grant(opened["account_id"], body)
    path = f"/v1/accounts/{opened['account_id']}/{what}"
    answer = await house.post(path, body, key=str(new_id()))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed(house, opened, what, **claims):
    answer = await house.get(f"/v1/accounts/{opened['account_id']}/{what}", **claims)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def buckets(house, opened) -> tuple[str, str, str]:
    shown = await house.account(opened["account_id"])
    return tuple(shown[part]["amount"][:-7] for part in ("balance", "debt", "granted"))


class TestDebts:
    async def test_c7_the_scheduler_recovers_a_debt_by_the_week_until_it_is_zero(self, house):
        opened = await house.open()
        await house.pay(opened["account_id"], 100 * M)
        added = await add(house, opened, "debts", WEEKLY)
        assert added["debt_no"] == 1
        assert added["next_at"] == "2026-03-10T21:00:00Z", "midnight in Nairobi"
        assert await house.decide() == 0
        house.clock.advance(datetime(2026, 3, 10, 21, tzinfo=UTC) - house.clock.now())
        assert await house.decide() == 1
        assert await buckets(house, opened) == ("96", "6", "0")
        for _ in range(2):
            house.clock.advance(timedelta(days=7))
            assert await house.decide() == 1
        assert await buckets(house, opened) == ("90", "0", "0")
        house.clock.advance(timedelta(days=7))
        assert await house.decide() == 0
        rows = await house.rows(
            "SELECT j.kind, p.kind AS posting, p.amount_micro, p.item_no, p.label FROM journal j "
            "JOIN posting p USING (journal_id) WHERE p.bucket = 'debt' AND p.amount_micro > 0 "
            "ORDER BY p.seq"
        )
        assert [(r.kind, r.posting, r.amount_micro // M, r.item_no) for r in rows] == [
            ("debt_charge", "debt_charge", 4, 1),
            ("debt_charge", "debt_charge", 4, 1),
            ("debt_charge", "debt_charge", 2, 1),
        ]
        assert {row.label for row in rows} == {"arrears of 2025"}
        assert await house.broken() == []

    async def test_terms_are_listed_and_changed_with_who_and_why(self, house):
        opened = await house.open(opening_debt={"amount": "40", "currency": KES})
        await add(house, opened, "debts", {**WEEKLY, "kind": "payment", "rate": None})
        path = f"/v1/accounts/{opened['account_id']}/debts/0"
        terms = {
            "label": "old bills",
            "share_ppm": 500_000,
            "priority": 1,
            "cap": {"amount": "15", "period": "week"},
            "reason": "hardship",
        }
        answer = await house.put(path, terms)
        assert answer.status_code == 200, answer.text
        general, arrears = await listed(house, opened, "debts")
        assert (general["label"], general["share_ppm"]) == ("old bills", 500_000)
        assert (general["added_by"], general["changed_why"]) == ("ledger", "hardship")
        assert general["changed_by"] == arrears["added_by"] != "ledger"
        assert arrears["added_why"] == "agreed on 3 March"
        await house.pay(opened["account_id"], 100 * M)
        general, arrears = await listed(house, opened, "debts")
        assert general["remaining"]["amount"] == "25.000000"
        assert general["taken_in_period"]["amount"] == "15.000000"
        assert arrears["remaining"]["amount"] == "0.000000", "25 % of 85 would be more than the 10"
        assert await house.broken() == []

    @pytest.mark.parametrize(
        ("change", "code", "pointer"),
        [
            ({"rate": None}, "terms_needs_rate", "/rate"),
            ({"kind": "payment"}, "terms_rate_of_payment_debt", "/rate"),
            ({"share_ppm": 5}, "terms_share_of_time_debt", "/share_ppm"),
            ({"amount": {"amount": "1", "currency": "ZAR"}}, "currency_mismatch", "/currency"),
            ({"rate": {"amount": "0", "period": "week"}}, "terms_not_positive", "/rate"),
        ],
    )
    async def test_what_contradicts_itself_is_refused(self, house, change, code, pointer):
        opened = await house.open()
        path = f"/v1/accounts/{opened['account_id']}/debts"
        answer = await house.post(path, {**WEEKLY, **change}, key="k")
        assert refusal(answer) == (422, code)
        assert answer.json()["errors"][0]["pointer"] == pointer

    async def test_of_a_debt_that_is_not_owed_the_terms_cannot_be_changed(self, house):
        opened = await house.open()
        path = f"/v1/accounts/{opened['account_id']}/debts/7"
        answer = await house.put(path, {"label": "x", "reason": "y"})
        assert refusal(answer) == (404, "debt_unknown")


class TestC2:
    async def test_c2_accepted_at_once_by_many_it_is_taken_once(self, house):
        opened = await house.open()
        await house.pay(opened["account_id"], 20 * M)
        await house.charge((opened, 25 * M))
        path = f"/v1/accounts/{opened['account_id']}/emergency-credit"
        answers = await asyncio.gather(*(house.post(path) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
        shown = await house.account(opened["account_id"])
        assert shown["emergency_credit"]["used"]["amount"] == "5.000000"
        assert len(await house.events("emergency_credit_accepted")) == 1
        assert await house.broken() == []


class TestC3:
    async def test_c3_told_in_a_friendly_evening_it_names_an_estimate_and_its_assumption(
        self, house
    ):
        """19:00 in Nairobi is 16:00 UTC; the evening ends at 10:00, 07:00 UTC."""
        friendly = [{"days": ["wed", "thu"], "from": "18:00", "to": "10:00"}]
        opened = await house.open(
            credit_policy={**POLICY, "friendly_hours": friendly, "emergency": None}
        )
        await house.pay(opened["account_id"], 10 * M)
        for _ in range(4):
            await house.charge((opened, 2 * M))
            house.clock.advance(timedelta(hours=1))
        await house.charge((opened, 4 * M))
        (event,) = await house.events("credit_exhausted")
        assert event["keeps_supply_until"] == "2026-03-05T07:00:00Z"
        assert event["amount_to_clear_micro"] == 2 * M + 1
        assert event["estimate_basis"] == "use as on average over the last 4 h"
        over_s = 4 * 3600 + 60
        assert event["estimated_amount_micro"] == 2 * M + 1 + -(-12 * M * 15 * 3600 // over_s)
        await house.charge((opened, 3 * M))
        house.clock.advance(timedelta(hours=14))
        assert await house.decide() == 1
        warned = (await house.events("credit_exhausted"))[-1]
        assert warned["amount_to_clear_micro"] == 5 * M + 1
        await house.pay(opened["account_id"], 5 * M + 1)
        house.clock.advance(timedelta(hours=1))
        await house.decide()
        assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
        assert await house.broken() == []


class TestC5:
    async def test_c5_migrated_credit_and_debts_precede_the_first_decision_and_grace_holds(
        self, house
    ):
        opened = await house.open(
            credit_policy={**POLICY, "emergency": None, "grace": {"days": 30, "floor": "-300"}},
            opening_credit={"amount": "5", "currency": KES},
            opening_debt={"amount": "20", "currency": KES},
            debts=[WEEKLY],
        )
        assert (opened["supply"], opened["reason"]) == ("on", "in_credit")
        assert await buckets(house, opened) == ("5", "30", "0")
        rows = await house.rows("SELECT ledger_account, amount_micro FROM system_posting")
        assert {row.ledger_account: row.amount_micro // M for row in rows} == {
            "opening_debt": 30,
            "opening_credit": -5,
        }
        await house.charge((opened, 100 * M))
        assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
        house.clock.advance(timedelta(days=30) - timedelta(seconds=1))
        await house.decide()
        shown = await house.account(opened["account_id"])
        assert (shown["supply_desired"], shown["amount_to_clear"]["amount"]) == ("on", "0.000000")
        house.clock.advance(timedelta(seconds=1))
        assert await house.decide() == 1
        shown = await house.account(opened["account_id"])
        assert shown["supply_desired"] == "off"
        needed = round(float(shown["amount_to_clear"]["amount"]) * M)
        await house.pay(opened["account_id"], needed - 1)
        assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
        assert await house.broken() == []


class TestFirstVend:
    async def test_the_first_top_up_of_the_month_pays_the_plan_s_charges(self, house):
        event = PlanVersionActivated(
            plan_code="household",
            version=4,
            plan_version_id=8,
            currency=KES,
            valid_from=house.clock.now(),
            vend_charges=[VendCharge(name="capacity", amount_micro=20 * M, tax_micro=2 * M)],
        )
        await house.receive("ledger.catalogue", event)
        opened = await house.open()
        shown = await house.account(opened["account_id"])
        assert shown["amount_to_clear"]["amount"] == "20.000001"
        await house.pay(opened["account_id"], 100 * M)
        await house.pay(opened["account_id"], 50 * M)
        first, second = await house.events("credit_posted")
        assert (first["to_charges_micro"], first["to_balance_micro"]) == (20 * M, 100 * M)
        assert (first["balance_micro"], second["to_charges_micro"]) == (80 * M, 0)
        page = (await house.get(f"/v1/accounts/{opened['account_id']}/statement")).json()
        charged = [entry for entry in page["items"] if entry["kind"] == "vend_charge"]
        assert [(e["label"], e["amount"]["amount"], e["tax"]["amount"]) for e in charged] == [
            ("capacity", "-20.000000", "2.000000")
        ]
        house.clock.advance(datetime(2026, 3, 31, 21, tzinfo=UTC) - house.clock.now())
        await house.pay(opened["account_id"], 30 * M)
        assert (await house.events("credit_posted"))[-1]["to_charges_micro"] == 20 * M
        assert await house.broken() == []


class TestGrants:
    async def test_charges_draw_on_a_grant_until_it_is_exhausted(self, house):
        opened, other = await house.open(), await house.open()
        for one in (opened, other):
            await house.pay(one["account_id"], 20 * M)
        granted = await add(house, opened, "credits", FREE)
        assert (granted["number"], granted["state"]) == (1, "in_use")
        assert granted["renews_at"] == "2026-03-31T21:00:00Z"
        await house.charge((opened, 8 * M), (other, 8 * M), (opened, 4 * M))
        assert await buckets(house, opened) == ("20", "0", "18")
        assert await buckets(house, other) == ("12", "0", "0")
        await house.charge((opened, 8 * M), (opened, 14 * M))
        assert await buckets(house, opened) == ("16", "0", "0")
        states = {c["kind"]: c["state"] for c in await listed(house, opened, "credits")}
        assert states == {"grant": "exhausted", "balance": "in_use", "emergency": "enabled"}
        assert await house.broken() == []

    async def test_small_batches_and_large_leave_the_same(self, house):
        one, all_ = await house.open(), await house.open()
        amounts = [5 * M, 7 * M, 11 * M, 13 * M, 17 * M]
        for opened in (one, all_):
            await house.pay(opened["account_id"], 20 * M)
            await add(house, opened, "credits", FREE)
        for amount in amounts:
            await house.charge((one, amount))
        await house.charge(*[(all_, amount) for amount in amounts])
        assert await buckets(house, one) == await buckets(house, all_)
        assert await house.broken() == []

    async def test_a_promotion_expires_at_its_exact_time_by_an_entry(self, house):
        opened = await house.open()
        ends_at = house.clock.now() + timedelta(days=3)
        promotion = {"label": "promotion", "amount": FREE["amount"], "reason": "spring"}
        await add(house, opened, "credits", {**promotion, "ends_at": ends_at.isoformat()})
        assert (await house.account(opened["account_id"]))["supply_reason"] == "granted_credit"
        await house.charge((opened, 8 * M))
        house.clock.advance(timedelta(days=3) - timedelta(seconds=1))
        assert await house.decide() == 0
        house.clock.advance(timedelta(seconds=1))
        assert await house.decide() == 1
        assert await buckets(house, opened) == ("0", "0", "0")
        (row,) = await house.rows(
            "SELECT j.posted_at, j.kind, p.amount_micro, s.amount_micro AS returned FROM posting p "
            "JOIN journal j USING (journal_id) JOIN system_posting s USING (journal_id) "
            "WHERE p.kind = 'grant_expired' AND s.ledger_account = 'grants'"
        )
        assert (row.posted_at, row.kind) == (ends_at, "grant")
        assert (row.amount_micro, row.returned) == (-22 * M, 22 * M)
        assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
        assert await house.broken() == []

    async def test_a_month_s_units_roll_over_up_to_the_maximum(self, house):
        opened = await house.open()
        await add(house, opened, "credits", FREE)
        await house.charge((opened, 5 * M))
        house.clock.advance(datetime(2026, 3, 31, 21, tzinfo=UTC) - house.clock.now())
        assert await house.decide() == 1
        assert await buckets(house, opened) == ("0", "0", "40")
        assert await house.broken() == []

    async def test_a_time_credit_keeps_supply_on(self, house):
        opened = await house.open()
        until = house.clock.now() + timedelta(hours=5)
        support = {
            "label": "support",
            "kind": "time",
            "reason": "call",
            "ends_at": until.isoformat(),
        }
        await add(house, opened, "credits", support)
        await house.charge((opened, 3 * M))
        shown = await house.account(opened["account_id"])
        assert (shown["supply_desired"], shown["supply_reason"]) == ("on", "granted_credit")
        house.clock.advance(timedelta(hours=5))
        assert await house.decide() == 1
        assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
        assert await house.broken() == []

    async def test_one_granted_by_mistake_is_ended_and_says_so(self, house):
        opened = await house.open()
        await add(house, opened, "credits", FREE)
        path = f"/v1/accounts/{opened['account_id']}/credits/1/end"
        ended = await house.post(path, {"reason": "by mistake"})
        assert (ended.status_code, ended.json()["state"]) == (200, "exhausted")
        again = await house.post(path, {"reason": "by mistake"})
        assert refusal(again) == (404, "grant_unknown")
        (row,) = await house.rows("SELECT ended_why, granted_why FROM granted_credit")
        assert tuple(row) == ("by mistake", "indigent register")
        assert await buckets(house, opened) == ("0", "0", "0")
        assert await house.broken() == []

    async def test_customers_see_their_own(self, house):
        opened, other = await house.open(), await house.open()
        mine = {"roles": ("customer",), "customer_id": opened["customer_id"]}
        assert await listed(house, opened, "credits", **mine)
        assert await listed(house, opened, "debts", **mine) == []
        hidden = await house.get(f"/v1/accounts/{other['account_id']}/credits", **mine)
        assert hidden.status_code == 404
        refused = await house.post(
            f"/v1/accounts/{opened['account_id']}/credits", FREE, key="k", **mine
        )
        assert refused.status_code == 403


async def test_c9_top_ups_charges_grants_and_debts_at_once_lose_nothing(house):
    opened = await house.open(debts=[{**WEEKLY, "kind": "payment", "rate": None, "share_ppm": 0}])
    await house.pay(opened["account_id"], 1000 * M)
    batches = [house.charges((opened, M), (opened, 2 * M)) for _ in range(6)]
    grant = {"label": "promotion", "amount": {"amount": "5", "currency": KES}, "reason": "spring"}
    await asyncio.gather(
        *(house.pay(opened["account_id"], 5 * M) for _ in range(6)),
        *(house.post_batches(batch) for batch in batches),
        *(add(house, opened, "credits", grant) for _ in range(3)),
        *(add(house, opened, "debts", WEEKLY) for _ in range(2)),
    )
    balance, debt, granted = map(int, await buckets(house, opened))
    assert balance + granted == 1000 + 30 - 18 + 15
    assert debt == 30
    assert [name for name in await house.broken() if name != "registers_chain"] == []


async def test_the_policy_s_new_parts_come_back_as_they_were_written(house):
    policy = {
        **POLICY,
        "waterfall": ["emergency_credit", *STEPS[:3], "balance"],
        "debt_cap": {"amount": "15.000000", "period": "week"},
        "grace": {"days": 30, "floor": "-300.000000"},
        "vend": {"minimum": "5.000000", "maximum": "500.000000", "maximum_balance": None},
    }
    await house.put_policy("rural", policy)
    written = (await house.get("/v1/credit-policies/rural")).json()
    assert {name: written[name] for name in ("waterfall", "debt_cap", "grace", "vend")} == {
        name: policy[name] for name in ("waterfall", "debt_cap", "grace", "vend")
    }


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"waterfall": ["balance"]}, "policy_not_each_step_once", "/waterfall"),
        (
            {"waterfall": ["balance", *STEPS]},
            "policy_balance_not_last",
            "/waterfall",
        ),
        ({"debt_cap": {"amount": "0", "period": "day"}}, "policy_not_positive", "/debt_cap/amount"),
        ({"grace": {"days": 3, "floor": "1"}}, "policy_not_below_floor", "/grace/floor"),
        ({"vend": {"minimum": "9", "maximum": "8"}}, "policy_below_minimum", "/vend/maximum"),
    ],
)
async def test_a_policy_that_contradicts_itself_is_refused_where_it_does(
    house, change, code, pointer
):
    answer = await house.put("/v1/credit-policies/rural", {**POLICY, **change})
    assert refusal(answer) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_c1_a_tried_top_up_shows_its_parts_and_is_what_then_happens(house):
    """25 % of 100 to debt, but 5 are left of the week's cap; 8 below the floor; 5 lent."""
    arrears = {
        "label": "arrears",
        "amount": {"amount": "50", "currency": KES},
        "share_ppm": 250_000,
        "cap": {"amount": "15", "period": "week"},
        "reason": "bills of 2025",
    }
    emergency = {"limit": "5", "offer_at": "2", "reoffer_above": "15", "needs_acceptance": False}
    opened = await house.open(
        credit_policy={
            **POLICY,
            "low_balance": [],
            "emergency": emergency,
            "vend": {"maximum": "100"},
        },
        debts=[arrears],
    )
    await house.pay(opened["account_id"], 40 * M)
    await house.charge((opened, 43 * M))
    path = f"/v1/accounts/{opened['account_id']}/top-up-trial?amount="
    tried = (await house.get(path + "100")).json()
    parts = [(part["step"], part["item"], part["amount"]["amount"][:-7]) for part in tried["parts"]]
    assert parts == [
        ("payment_debt", 1, "5"),
        ("accumulated", None, "8"),
        ("emergency_credit", None, "5"),
        ("balance", None, "82"),
    ]
    assert (tried["refused"], tried["restores_supply"]) == (None, True)
    assert (await house.get(path + "101")).json()["refused"] == "above_maximum"
    assert (await house.get(path + "10")).json()["restores_supply"] is False
    assert (await house.get(path + "0")).json()["errors"][0]["code"] == "not_positive"
    await house.pay(opened["account_id"], 100 * M)
    credit = (await house.events("credit_posted"))[-1]
    names = ("to_debt_micro", "to_accumulated_micro", "to_emergency_micro", "balance_micro")
    assert [credit[name] // M for name in names] == [5, 8, 5, 82]
    assert await buckets(house, opened) == ("82", "35", "0")
    assert await house.broken() == []
