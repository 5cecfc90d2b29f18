"""A chargeback after use: what is left is taken, the rest is debt, and nobody is cut at once."""

from datetime import timedelta

from tests.integration.ledger.house import POLICY, M


async def charge_back(house, payment):
    await house.take_back(payment, reason="chargeback")


async def test_p7_chargeback_after_use_leaves_debt_notice_and_grace(house):
    opened = await house.open()
    payment = await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 40 * M))
    await charge_back(house, payment)
    shown = await house.account(opened["account_id"])
    assert (shown["balance"]["amount"], shown["debt"]["amount"]) == ("0.000000", "40.000000")
    assert (shown["supply_desired"], shown["supply_reason"]) == ("on", "kept_on")
    (event,) = await house.events("credit_exhausted")
    assert event["keeps_supply_reason"] == "kept_on"
    ends = house.clock.now() + timedelta(hours=24)
    assert event["keeps_supply_until"] == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert event["amount_to_clear_micro"] > 0
    assert await house.broken() == []
    house.clock.advance(timedelta(hours=23))
    await house.decide()
    assert (await house.account(opened["account_id"]))["supply_desired"] == "on"
    assert len(await house.events("credit_exhausted")) == 2, "reminded an hour before"
    house.clock.advance(timedelta(hours=1))
    await house.decide()
    shown = await house.account(opened["account_id"])
    assert (shown["supply_desired"], shown["supply_reason"]) == ("off", "exhausted")
    assert (await house.events("credit_exhausted"))[-1]["keeps_supply_until"] is None
    assert await house.broken() == []


async def test_p7_a_top_up_within_the_grace_keeps_the_supply(house):
    opened = await house.open()
    payment = await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, 40 * M))
    await charge_back(house, payment)
    await house.pay(opened["account_id"], 20 * M)
    shown = await house.account(opened["account_id"])
    assert (shown["supply_reason"], shown["debt"]["amount"]) == ("in_credit", "35.000000")
    house.clock.advance(timedelta(days=2))
    await house.decide()
    assert [one["state"] for one in await house.events("supply_desired")] == ["off", "on"]
    assert await house.broken() == []


async def test_p7_what_the_balance_still_covers_needs_no_grace(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 100 * M)
    payment = await house.pay(opened["account_id"], 50 * M)
    await charge_back(house, payment)
    shown = await house.account(opened["account_id"])
    assert (shown["supply_reason"], shown["debt"]["amount"]) == ("in_credit", "0.000000")
    assert await house.rows("SELECT 1 FROM keep_on") == []


async def test_p7_a_policy_may_give_no_grace(house):
    opened = await house.open(credit_policy={**POLICY, "chargeback_grace_hours": 0})
    payment = await house.pay(opened["account_id"], 100 * M)
    await charge_back(house, payment)
    assert (await house.account(opened["account_id"]))["supply_desired"] == "off"
    assert await house.broken() == []
