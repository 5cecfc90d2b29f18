"""Payments is told what may be sold to an account."""

from datetime import timedelta

from tests.integration.ledger.house import POLICY, M
from tests.support.problems import refusal

from npms_ledger.handlers.vend_limits import tell_again

LIMITS = {"vend": {"minimum": "20", "maximum": "2000", "maximum_balance": "5000"}}


async def limits(house) -> list[tuple]:
    names = ("account_id", "minimum_micro", "maximum_micro", "max_balance_micro", "balance_micro")
    return [tuple(one[name] for name in names) for one in await house.events("vend_limits_set")]


async def test_p8_limits_are_told_at_opening_and_when_the_policy_changes(house):
    free = await house.open()
    assert await limits(house) == []
    await house.put_policy("standard", {**POLICY, **LIMITS})
    await house.pay(free["account_id"], 100 * M)
    await house.decide()
    mine = free["account_id"]
    assert await limits(house) == [(mine, 20 * M, 2000 * M, 5000 * M, 100 * M)]
    other = await house.open()
    assert (await limits(house))[1] == (other["account_id"], 20 * M, 2000 * M, 5000 * M, 0)
    await house.put_policy("standard", {**POLICY, "vend": {"minimum": "1"}})
    await house.decide()
    assert sorted((await limits(house))[2:]) == [
        (mine, M, None, None, 100 * M),
        (other["account_id"], M, None, None, 0),
    ]
    await house.put_policy("standard", POLICY)
    await house.decide()
    assert sorted((await limits(house))[4:]) == [
        (mine, None, None, None, 100 * M),
        (other["account_id"], None, None, None, 0),
    ]
    await house.put_policy("standard", {**POLICY, "floor": "-1"})
    await house.decide()
    assert len(await limits(house)) == 6, "of no limit nothing is told again"


async def test_p8_while_the_balance_has_a_most_it_is_told_every_hour(house):
    bounded = await house.open(credit_policy={**POLICY, "vend": {"maximum_balance": "100"}})
    await house.open(credit_policy={**POLICY, "vend": {"minimum": "5"}})
    await house.pay(bounded["account_id"], 100 * M)
    await house.charge((bounded, 60 * M))
    async with house.database.transaction() as conn:
        assert await tell_again(conn, house.clock.now()) == 0
    house.clock.advance(timedelta(hours=1))
    async with house.database.transaction() as conn:
        assert await tell_again(conn, house.clock.now()) == 1
    assert (await limits(house))[-1] == (bounded["account_id"], None, None, 100 * M, 40 * M)
    async with house.database.transaction() as conn:
        assert await tell_again(conn, house.clock.now()) == 0


async def test_p8_limits_that_contradict_each_other_are_refused(house):
    for changes, code in (
        ({"vend": {"minimum": "20", "maximum": "10"}}, "policy_below_minimum"),
        ({"vend": {"maximum_balance": "0"}}, "policy_not_positive"),
    ):
        answer = await house.put("/v1/credit-policies/odd", {**POLICY, **changes})
        assert refusal(answer) == (422, code)
    await house.put_policy("good", {**POLICY, **LIMITS})
    kept = await house.get("/v1/credit-policies/good")
    assert kept.json()["vend"]["maximum_balance"] == "5000.000000"
