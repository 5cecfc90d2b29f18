"""Every charge, balance, cut and top-up explains itself, and what it says adds up."""

from datetime import timedelta

import pytest
from tests.integration.ledger.adjusting import QUEUE, adjustment
from tests.integration.ledger.house import PLAIN, POLICY, M
from tests.support.values import micro

from npms_shared.contracts.tariff import PlanVersionActivated, VendCharge
from npms_shared.ids import new_id

NIGHTS = {**PLAIN, "friendly_hours": [{"days": ["wed"], "from": "15:30", "to": "17:00"}]}


def kinds(bucket) -> dict[str, int]:
    return {one["kind"]: micro(one["amount"]) for one in bucket["kinds"]}


def check_adds_up(explained) -> None:
    for bucket in explained["buckets"]:
        total = micro(bucket["opening"]) + sum(kinds(bucket).values())
        assert total == micro(bucket["closing"]), bucket


async def seqs(house, opened, kind: str) -> list[int]:
    rows = await house.rows("SELECT account_id, seq, kind FROM posting ORDER BY seq")
    account_id = opened["account_id"]
    return [row.seq for row in rows if (row.account_id, row.kind) == (account_id, kind)]


async def test_a_charge_names_its_readings_plan_lines_price_and_rounding(house):
    opened = await house.open()
    account_id = opened["account_id"]
    await house.pay(account_id, 100 * M)
    for amount in (10_000_003, 10_000_007):
        house.clock.advance(timedelta(minutes=1))
        await house.charge((opened, amount))
    seq = (await seqs(house, opened, "charge"))[-1]
    explained = await house.read(f"/v1/accounts/{account_id}/postings/{seq}/why")
    charge = explained["charge"]

    assert micro(explained["before"]) + micro(explained["amount"]) == micro(explained["after"])
    assert charge["reading_from"] == {
        "installation_id": opened["installation_id"],
        "taken_at": (house.clock.now() - timedelta(minutes=1)).isoformat().replace("+00:00", "Z"),
        "register_value": {"value": "101.000", "unit": "kWh"},
    }
    assert charge["reading_to"]["register_value"]["value"] == "102.000"
    assert charge["plan"] == {
        "plan_version_id": 7,
        "plan_code": "household",
        "plan_version": 3,
        "href": "/v1/plans/household/versions/3",
    }
    assert charge["counted_from"]["register_value"]["value"] == "100.000"
    assert micro(charge["amount"]) == -micro(explained["amount"]) == 10_000_007
    assert micro(charge["cost_after"]) - micro(charge["cost_before"]) == 10_000_007
    for line in charge["lines"]:
        difference = micro(line["after"]["amount"]) - micro(line["before"]["amount"])
        assert difference == micro(line["amount"])
    energy, tax = charge["lines"]
    assert (energy["component"], energy["period"], energy["block"]) == ("energy", "peak", 2)
    assert energy["after"]["energy"]["value"] == "2.000"
    assert energy["price"]["amount"] == "9.000005"
    assert tax["price"] is None
    assert micro(tax["amount"]) == micro(charge["tax"]) == 1_000_000
    assert f"/v1/installations/{opened['installation_id']}/why?from=" in charge["rating"]
    assert "1.000 kWh used" in explained["because"]
    assert "plan household v3" in explained["because"]


async def test_charges_of_another_month_are_not_counted_in(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 10 * M))
    house.clock.advance(timedelta(days=40))
    await house.charge((opened, 7 * M))
    seq = (await seqs(house, opened, "charge"))[-1]
    explained = await house.read(f"/v1/accounts/{opened['account_id']}/postings/{seq}/why")
    assert micro(explained["charge"]["cost_before"]) == 0
    assert explained["charge"]["counted_from"] == explained["charge"]["reading_from"]


@pytest.mark.parametrize("kind", ["correction", "provisional", "settlement"])
async def test_an_adjustment_says_its_kind_and_reason(house, kind):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.receive(QUEUE, adjustment(house, opened, 10 * M, kind=kind))
    (seq,) = await seqs(house, opened, kind)
    explained = await house.read(f"/v1/accounts/{opened['account_id']}/postings/{seq}/why")
    assert explained["charge"] is None
    assert explained["because"] == f"{kind}: the price of March was wrong"
    assert explained["adjustment"]["lines"][0]["component"] == "energy"
    assert explained["adjustment"]["plan_version"] == 3


async def test_a_balance_is_the_sum_of_what_is_told_of_it(house):
    opened = await house.open(opening_debt={"amount": "40", "currency": "KES"})
    account_id = opened["account_id"]
    began = house.clock.now()
    for amount in (13 * M + 1, 20 * M):
        house.clock.advance(timedelta(hours=1))
        await house.pay(account_id, amount)
        await house.charge((opened, 5 * M + 3))
    middle = house.clock.now() - timedelta(minutes=30)
    await house.receive(QUEUE, adjustment(house, opened, -2 * M))
    whole = await house.read(f"/v1/accounts/{account_id}/why")
    check_adds_up(whole)
    balance, debt = whole["buckets"]
    assert (balance["bucket"], debt["bucket"]) == ("balance", "debt")
    assert kinds(balance)["charge"] == -10 * M - 6
    assert kinds(balance)["correction"] == 2 * M
    assert sum(kinds(one)["top_up"] for one in (balance, debt)) == 33 * M + 1
    assert sum(micro(one["amount"]) for one in whole["charged"]) == 8 * M + 6

    halves = []
    for span in (("", middle), (middle, "")):
        query = "&".join(
            f"{name}={at.isoformat().replace('+00:00', 'Z')}"
            for name, at in zip(("from", "to"), span, strict=True)
            if at
        )
        halves.append(await house.read(f"/v1/accounts/{account_id}/why?{query}"))
        check_adds_up(halves[-1])
    assert halves[0]["last_seq"] + 1 == halves[1]["first_seq"]
    assert halves[0]["buckets"][0]["closing"] == halves[1]["buckets"][0]["opening"]
    shown = (await house.account(account_id))["balance"]
    assert shown == balance["closing"] == halves[1]["buckets"][0]["closing"]
    early = began.isoformat().replace("+00:00", "Z")
    nothing = await house.read(f"/v1/accounts/{account_id}/why?from={early}&to={early}")
    assert nothing["last_seq"] < nothing["first_seq"]


async def test_o6_why_was_i_cut_and_where_did_my_money_go_are_one_query(house):
    """Cut when friendly hours end, after a top-up that two charges used up."""
    await house.put_policy("nights", NIGHTS)
    opened = await house.open(credit_policy="nights")
    account_id = opened["account_id"]
    await house.pay(account_id, 10 * M)
    house.clock.advance(timedelta(minutes=10))
    await house.charge((opened, 4 * M))
    house.clock.advance(timedelta(minutes=30))
    await house.charge((opened, 8 * M))
    house.clock.advance(timedelta(hours=2))
    assert await house.decide() == 1
    decided_at = house.clock.now()
    house.clock.advance(timedelta(hours=1))

    explained = await house.read(f"/v1/accounts/{account_id}/supply/why")

    decision = explained["decision"]
    assert (decision["state"], decision["reason"]) == ("off", "exhausted")
    assert decision["hold_ended"] == "friendly_hours"
    assert decision["decided_by"] == "scheduler"
    assert decision["decided_at"] == decided_at.isoformat().replace("+00:00", "Z")
    assert (explained["policy"]["code"], explained["policy"]["version"]) == ("nights", 1)
    assert explained["policy"]["friendly_hours"] == NIGHTS["friendly_hours"] or (
        explained["policy"]["friendly_hours"][0]["from"].startswith("15:30")
    )
    assert (micro(decision["balance"]), micro(decision["floor"])) == (-2 * M, 0)
    assert micro(explained["would_have_avoided_it"]) == 2 * M + 1
    assert "friendly hours ended" in explained["because"]
    assert micro(explained["last_in_credit"]["balance"]) == 6 * M
    assert [entry["kind"] for entry in explained["entries"]] == ["charge"]
    money = explained["since_last_top_up"]
    check_adds_up(money)
    assert kinds(money["buckets"][0]) == {"top_up": 10 * M, "charge": -12 * M}
    assert sum(micro(one["amount"]) for one in money["charged"]) == 12 * M
    assert explained["now"][0]["state"] == "off"


async def test_what_would_have_avoided_a_cut_does_and_no_less(house):
    amounts = []
    for extra in (0, 5 * M, 5 * M + 1):
        opened = await house.open(credit_policy=PLAIN)
        await house.pay(opened["account_id"], 10 * M)
        if extra:
            await house.pay(opened["account_id"], extra)
        await house.charge((opened, 15 * M))
        explained = await house.read(f"/v1/accounts/{opened['account_id']}/supply/why")
        avoided = explained["would_have_avoided_it"]
        amounts.append((explained["decision"]["state"], avoided and micro(avoided)))
    assert amounts == [("off", 5 * M + 1), ("off", 1), ("on", None)]


async def test_a_restored_supply_still_tells_of_the_cut(house):
    opened = await house.open(credit_policy=PLAIN)
    await house.pay(opened["account_id"], 10 * M)
    await house.charge((opened, 15 * M))
    house.clock.advance(timedelta(minutes=1))
    await house.pay(opened["account_id"], 50 * M)
    explained = await house.read(f"/v1/accounts/{opened['account_id']}/supply/why")
    assert explained["decision"]["state"] == "off"
    assert explained["decision"]["decided_by"] == "charge"
    assert [one["state"] for one in explained["now"]] == ["on"]
    assert kinds(explained["since_last_top_up"]["buckets"][0]) == {
        "top_up": 10 * M,
        "charge": -15 * M,
    }


async def test_the_parts_of_a_top_up_sum_to_the_payment(house):
    opened = await house.open(opening_debt={"amount": "100", "currency": "KES"})
    account_id = opened["account_id"]
    await house.pay(account_id, 20 * M)
    await house.charge((opened, 8 * M))
    answer = await house.post(f"/v1/accounts/{account_id}/emergency-credit")
    assert answer.is_success, answer.text
    await house.charge((opened, 20 * M))
    await house.charge((opened, 1 * M))
    payment = await house.pay(account_id, 50 * M + 3)
    explained = await house.read(f"/v1/payments/{payment.payment_id}/why")

    parts = {part["what"]: micro(part["amount"]) for part in explained["parts"]}
    assert sum(parts.values()) == micro(explained["amount"]) == 50 * M + 3
    assert list(parts) == ["payment_debt", "emergency_credit", "balance"]
    assert parts["payment_debt"] == 12_500_000
    before = {one["bucket"]: micro(one["before"]) for one in explained["buckets"]}
    after = {one["bucket"]: micro(one["after"]) for one in explained["buckets"]}
    assert after["debt"] - before["debt"] == parts["payment_debt"]
    assert after["emergency"] == 0
    assert after["emergency"] - before["emergency"] == parts["emergency_credit"]
    assert after["balance"] == micro((await house.account(account_id))["balance"])
    assert explained["reference"] == "V-1"

    await house.take_back(payment)
    explained = await house.read(f"/v1/payments/{payment.payment_id}/why")
    assert explained["reversal_reason"]
    assert sum(micro(entry["amount"]) for entry in explained["taken_back"]) == -50 * M - 3


async def test_each_step_of_the_waterfall_is_a_part_with_its_debt_and_tax(house):
    """As the trial foresaw it: the month's charge, a debt by number, below the floor, the loan."""
    await house.receive(
        "ledger.catalogue",
        PlanVersionActivated(
            plan_code="household",
            version=4,
            plan_version_id=8,
            currency="KES",
            valid_from=house.clock.now(),
            vend_charges=[VendCharge(name="capacity", amount_micro=20 * M, tax_micro=2 * M)],
        ),
    )
    arrears = {
        "label": "arrears",
        "amount": {"amount": "50", "currency": "KES"},
        "share_ppm": 250_000,
        "reason": "bills of 2025",
    }
    emergency = {"limit": "5", "offer_at": "2", "reoffer_above": "15", "needs_acceptance": False}
    policy = {**POLICY, "low_balance": [], "emergency": emergency}
    opened = await house.open(credit_policy=policy, debts=[arrears])
    account_id = opened["account_id"]
    await house.pay(account_id, 60 * M)
    await house.charge((opened, 43 * M))
    house.clock.advance(timedelta(days=31))
    trial = await house.read(f"/v1/accounts/{account_id}/top-up-trial?amount=100")
    payment = await house.pay(account_id, 100 * M)
    explained = await house.read(f"/v1/payments/{payment.payment_id}/why")
    assert [(part["what"], part["item"], part["amount"]) for part in explained["parts"]] == [
        (part["step"], part["item"], part["amount"]) for part in trial["parts"]
    ]
    assert [part["what"] for part in explained["parts"]] == [
        *("vend_charges", "payment_debt", "accumulated", "emergency_credit", "balance")
    ]
    capacity, debt, *_ = explained["parts"]
    assert (capacity["label"], micro(capacity["amount"])) == ("capacity", 20 * M)
    assert micro(capacity["tax"]) == 2 * M
    assert (debt["label"], debt["item"]) == ("arrears", 1)
    assert sum(micro(part["amount"]) for part in explained["parts"]) == 100 * M
    month = await house.read(f"/v1/accounts/{account_id}/statements/2026-04")
    (top_up,) = month["days"][0]["top_ups"]
    assert [part["amount"]["amount"] for part in top_up["parts"]] == [
        part["amount"]["amount"] for part in explained["parts"]
    ]


async def test_what_does_not_exist_is_said_not_to(house):
    opened = await house.open()
    account_id = opened["account_id"]
    for path in (
        f"accounts/{account_id}/postings/99/why",
        f"accounts/{account_id + 1}/why",
        f"accounts/{account_id + 1}/supply/why",
        f"payments/{new_id()}/why",
    ):
        assert (await house.get(f"/v1/{path}")).status_code == 404, path


async def test_a_customer_gets_no_explanation_of_somebody_else_s_money(house):
    opened = await house.open(credit_policy=PLAIN)
    account_id, customer_id = opened["account_id"], opened["customer_id"]
    payment = await house.pay(account_id, 10 * M)
    await house.charge((opened, 15 * M))
    for path in (
        f"accounts/{account_id}/postings/1/why",
        f"accounts/{account_id}/why",
        f"accounts/{account_id}/supply/why",
        f"payments/{payment.payment_id}/why",
    ):
        for who, status in ((customer_id, 200), (customer_id + 1, 404)):
            answer = await house.get(f"/v1/{path}", roles=("customer",), customer_id=who)
            assert answer.status_code == status, (path, who, answer.text)


async def test_spans_of_time_are_found_among_many_postings(house):
    """The first posting from a time on, where writers have overtaken each other a little."""
    opened = await house.open()
    account_id = opened["account_id"]
    await house.pay(account_id, 500 * M)
    begin = house.clock.now()
    steps = [*range(1, 40), 43, 41, 42, 40, *range(44, 60)]
    for step in steps:
        house.clock.advance(begin + timedelta(seconds=step) - house.clock.now())
        await house.charge((opened, 1))
    for second in (1, 17, 40, 41, 43, 59, 60):
        at = (begin + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
        explained = await house.read(f"/v1/accounts/{account_id}/why?from={at}")
        posted = next((i for i, step in enumerate(steps) if step >= second), len(steps))
        assert explained["first_seq"] == 2 + posted
        check_adds_up(explained)
