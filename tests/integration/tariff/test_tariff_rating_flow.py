"""Readings become charges, in one transaction, against PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.support.tariff import (
    OPENED_AT,
    OPENED_S,
    PARTITION,
    meta,
    opened,
    put_in_force,
    readings,
)

from npms_shared.contracts.ledger import InstallationClosed
from npms_shared.db import invariants
from npms_shared.messaging.subscriptions import Received, Unprocessable
from npms_tariff.domain.refusal import REASONS
from npms_tariff.handlers.errors import NotClosedYet, NotOpenedYet
from npms_tariff.invariants import RULES
from npms_tariff.storage.states import StaleState

pytestmark = pytest.mark.usefixtures("plans")
STATE = """
    SELECT register_wh, read_at_s, rated_wh, charged_micro, readings_billed, readings_parked
    FROM rating_state WHERE installation_id = :id
"""


async def test_a_reading_becomes_a_charge_that_explains_itself(harness):
    await harness.hear(opened())
    await harness.read(readings((1, 60, 3000)))
    (batch,) = await harness.charges()
    assert batch.currency == "KES"
    assert (batch.from_register_wh, batch.to_register_wh) == ([1000], [3000])
    assert (batch.from_s, batch.to_s) == ([OPENED_S], [OPENED_S + 60])
    assert (batch.energy_wh, batch.amount_micro, batch.tax_micro) == (
        [2000],
        [62_640_000],
        [8_640_000],
    )
    assert batch.lines == [
        [
            ("fixed:standing", "", 0, 0, 5_000_000),
            ("energy", "all", 1, 2000, 49_000_000),
            ("tax:vat", "", 0, 0, 8_640_000),
        ]
    ]
    await harness.assert_rules_hold()


async def test_many_batches_telescope_and_all_rules_hold(harness):
    plans = ["household-flat", "household-tou", "household-blocks"]
    for i in range(1, 10):
        await harness.hear(opened(i, plan_code=plans[i % 3]))
    for step in range(1, 30):
        rows = [(i, step * 40_000 + i, 1000 + step * 3571 * i) for i in range(1, 10)]
        await harness.read(readings(*rows[:5]), readings(*rows[5:]))
    rows = await harness.rows(
        "SELECT s.installation_id, rated_wh, charged_micro, readings_billed FROM rating_state s"
    )
    said: dict[int, int] = {}
    for batch in await harness.charges():
        for installation_id, amount in zip(batch.installation_id, batch.amount_micro, strict=True):
            said[installation_id] = said.get(installation_id, 0) + amount
    assert {row[0]: row[2] for row in rows} == said
    assert {row[0]: row[1] for row in rows} == {i: 29 * 3571 * i for i in range(1, 10)}
    assert {row[3] for row in rows} == {29}
    assert await harness.one("SELECT count(*) FROM rating_scope") == (0,)
    await harness.assert_rules_hold()


async def test_rating_goes_on_after_the_cache_was_lost(harness):
    for i, plan in ((1, "household-tou"), (2, "household-tou")):
        await harness.hear(opened(i, plan_code=plan))
    for step in range(1, 60):
        row = (step * 30_011, 1000 + step * 2222)
        await harness.read(readings((1, *row), (2, *row)))
        if step % 7 == 0:
            harness.partitions.forget(PARTITION)
    same = await harness.rows(
        "SELECT DISTINCT charged_micro, rated_wh, hour_micro, slots, days FROM rating_state"
    )
    assert len(same) == 1
    assert (await harness.one("SELECT count(*) FROM rating_scope"))[0] == 0
    await harness.read(readings((1, 40 * 86_400, 900_000), (2, 40 * 86_400, 900_000)))
    assert (await harness.one("SELECT count(*) FROM rating_scope"))[0] == 2
    await harness.assert_rules_hold()


async def test_bad_readings_are_kept_aside_with_a_reason_and_others_flow(harness):
    await harness.hear(opened(1))
    await harness.hear(opened(2))
    harness.clock.at = OPENED_AT + timedelta(hours=1)
    wrong_account = readings((1, 200, 5000)).model_copy(update={"account_id": [7]})
    await harness.read(
        readings(
            (1, 60, 2000),
            (1, 60, 2000),
            (1, 30, 1500),
            (1, 90_000, 3000),
            (9, 60, 100),
            (2, 60, 1100),
            (1, 120, 2100),
            (2, 120, 1099),
        ),
        wrong_account,
    )
    kept = await harness.rows("SELECT reason FROM parked_reading ORDER BY parked_reading_id")
    assert [row[0] for row in kept] == [
        "duplicate", "late", "in_future", "unknown_installation", "register_backwards",
        "account_mismatch",
    ]  # fmt: skip
    assert {row[0] for row in kept} <= set(REASONS)
    state = await harness.one(STATE, id=1)
    assert state[:3] == (2100, OPENED_S + 120, 1100)
    assert state[4:6] == (2, 4)
    assert (await harness.one(STATE, id=2))[4:6] == (1, 1)
    await harness.assert_rules_hold()


async def test_readings_before_the_opening_was_heard_are_counted_and_caught_up(harness):
    await harness.read(readings((1, 60, 2000)))
    await harness.hear(opened(1))
    await harness.read(readings((1, 120, 3000)))
    assert (await harness.one(STATE, id=1))[2:6] == (2000, 62_640_000, 1, 1)
    await harness.assert_rules_hold()


async def test_a_standstill_is_billed_without_a_charge(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 1000)))
    await harness.read(readings((1, 120, 1000)))
    assert len(await harness.charges()) == 1
    assert (await harness.one(STATE, id=1))[4] == 2


async def test_a_state_changed_by_somebody_else_is_not_overwritten(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    async with harness.database.transaction() as conn:
        await conn.execute(text("UPDATE rating_state SET version = version + 1"))
    with pytest.raises(StaleState):
        await harness.read(readings((1, 120, 3000)))
    await harness.read(readings((1, 120, 3000)))
    assert (await harness.one(STATE, id=1))[2] == 2000
    await harness.assert_rules_hold()


async def test_what_was_not_committed_is_rated_again(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))

    class Crash(Exception):
        pass

    with pytest.raises(Crash):
        async with harness.database.transaction() as conn:
            received = [Received(meta(), readings((1, 120, 3000)))]
            await harness.partitions.handle(conn, [(PARTITION, received)])
            raise Crash
    harness.partitions.forget(PARTITION)
    await harness.read(readings((1, 120, 3000)))
    assert (await harness.one(STATE, id=1))[2:5] == (2000, 62_640_000, 2)


async def test_a_new_version_is_learnt_without_a_restart(harness, client, second):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    change = {
        "plan_code": "household-flat",
        "valid_from": (OPENED_AT + timedelta(seconds=90)).isoformat(),
        "document": {"energy": {"periods": [{"name": "all", "blocks": [{"price": "1"}]}]}},
    }
    version_id = (await put_in_force(client, second, change))["plan_version_id"]
    await harness.read(readings((1, 120, 3000)))
    last = (await harness.charges())[-1]
    assert last.energy_wh == [500, 500]
    assert last.plan_version_id[1] == version_id
    assert last.amount_micro[1] == 500_000
    await harness.assert_rules_hold()


async def test_a_version_dated_back_counts_from_the_next_reading(harness, client, second):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    change = {
        "plan_code": "household-flat",
        "valid_from": OPENED_AT.isoformat(),
        "document": {"energy": {"periods": [{"name": "all", "blocks": [{"price": "1"}]}]}},
    }
    await put_in_force(client, second, change)
    await harness.read(readings((1, 120, 3000)))
    assert (await harness.charges())[-1].amount_micro == [1_000_000]
    await harness.assert_rules_hold()


async def test_without_a_version_in_force_readings_wait_and_are_caught_up(harness, client, second):
    later = {
        "plan_code": "later",
        "name": "Later",
        "currency": "KES",
        "valid_from": (OPENED_AT + timedelta(days=1)).isoformat(),
        "document": {"energy": {"periods": [{"name": "all", "blocks": [{"price": "1"}]}]}},
    }
    await put_in_force(client, second, later)
    await harness.hear(opened(1, plan_code="later"))
    await harness.read(readings((1, 60, 2000)))
    assert await harness.rows("SELECT reason FROM parked_reading") == [("no_plan",)]
    earlier = {**later, "valid_from": OPENED_AT.isoformat()}
    del earlier["name"]
    await put_in_force(client, second, earlier)
    await harness.read(readings((1, 120, 3000)))
    assert (await harness.one(STATE, id=1))[2:6] == (2000, 2_000_000, 1, 1)
    await harness.assert_rules_hold()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan_code": "nowhere"}, "unknown_plan"),
        ({"currency": "UGX"}, "plan_does_not_fit"),
        ({"commodity": "water"}, "plan_does_not_fit"),
        ({"time_zone": "Mars/Olympus"}, "unknown_time_zone"),
    ],
)
async def test_an_installation_that_cannot_be_rated_is_refused(harness, changes, code):
    with pytest.raises(Unprocessable) as refused:
        await harness.hear(opened(1, **changes))
    assert refused.value.code == code


async def test_closing_rates_up_to_the_closing_register_and_ends_it(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    closed_at = OPENED_AT + timedelta(seconds=120)
    closing = InstallationClosed(
        installation_id=1, account_id=101, closing_register_wh=3000, closed_at=closed_at
    )
    await harness.hear(closing)
    with pytest.raises(StaleState):
        await harness.read(readings((1, 180, 4000)))
    await harness.read(readings((1, 180, 4000)))
    assert (await harness.one(STATE, id=1))[2:6] == (2000, 62_640_000, 1, 1)
    assert await harness.rows("SELECT reason FROM parked_reading") == [("after_closing",)]
    end = (1, 101, 3000, OPENED_S + 120)
    assert [tuple(dict(one).values()) for one in (await harness.charges())[-1].ends] == [end]
    await harness.hear(closing)
    told = (await harness.charges())[-1]
    assert (len(told), told.ends[0].register_wh) == (0, 3000), "it is told again, and nothing else"
    await harness.assert_rules_hold()


@pytest.mark.parametrize(
    ("asked_wh", "after_s", "ended"),
    [
        (1500, 120, (2000, 120)),  # a reading was under way: what was rated stands
        (2000, 120, (2000, 120)),
        (3000, 120, (3000, 120)),
        (3000, 60, (3000, 61)),  # in the very second of the last reading
        (2000, 60, (2000, 60)),
        (3000, 30, (2000, 60)),  # closed before the last reading, which says otherwise
        (1500, 30, (2000, 60)),
    ],
)
async def test_a_closing_ends_where_rating_stands_and_says_so(harness, asked_wh, after_s, ended):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000)))
    await harness.hear(
        InstallationClosed(
            installation_id=1,
            account_id=101,
            closing_register_wh=asked_wh,
            closed_at=OPENED_AT + timedelta(seconds=after_s, milliseconds=700),
        )
    )
    (end,) = (await harness.charges())[-1].ends
    assert (end.register_wh, end.ended_at_s - OPENED_S) == ended
    harness.partitions.forget(PARTITION)
    await harness.read(readings((1, 59, 2500), (1, after_s, 2500), (1, after_s + 1, 2500)))
    assert (await harness.one(STATE, id=1))[2] == ended[0] - 1000, "nothing is rated beyond it"
    said = [wh for batch in await harness.charges() for wh in batch.to_register_wh]
    assert max(said) == ended[0]
    assert await harness.one("SELECT closing_register_wh FROM installation") == (ended[0],)
    await harness.assert_rules_hold()


async def test_a_closing_waits_for_its_opening(harness):
    closing = InstallationClosed(
        installation_id=1,
        account_id=101,
        closing_register_wh=3000,
        closed_at=OPENED_AT + timedelta(seconds=120),
    )
    with pytest.raises(NotOpenedYet):
        await harness.hear(closing)
    await harness.hear(opened(1))
    await harness.hear(closing)
    await harness.hear(opened(1))
    assert (await harness.charges())[-1].ends[0].register_wh == 3000
    await harness.assert_rules_hold()


async def test_r7_a_new_meter_goes_on_in_the_blocks_of_the_one_it_replaces(harness):
    await harness.hear(opened(1, plan_code="household-blocks"))
    await harness.read(readings((1, 3600, 41_000)))
    swapped_at = OPENED_AT + timedelta(hours=2)
    new = opened(
        2,
        account_id=101,
        plan_code="household-blocks",
        opening_register_wh=7,
        opened_at=swapped_at,
        replaces_installation_id=1,
    )
    with pytest.raises(NotClosedYet):
        await harness.hear(new)
    await harness.hear(
        InstallationClosed(
            installation_id=1, account_id=101, closing_register_wh=42_000, closed_at=swapped_at
        )
    )
    await harness.hear(new)
    taken_s = int(swapped_at.timestamp()) + 3600
    await harness.read(readings((2, taken_s - OPENED_S, 20_007)).model_copy(
        update={"account_id": [101]}
    ))  # fmt: skip
    (charge,) = (await harness.charges())[-1].lines
    assert [tuple(line[:4]) for line in charge if line[0] == "energy"] == [
        ("energy", "all", 1, 9_000),
        ("energy", "all", 2, 11_000),
    ]
    assert not [line for line in charge if line[0] == "fixed:standing"]
    await harness.assert_rules_hold()


async def test_planted_faults_break_the_rules(harness):
    await harness.hear(opened(1))
    await harness.read(readings((1, 60, 2000), (1, 90, 1)))
    async with harness.database.transaction() as conn:
        await conn.execute(
            text(
                "UPDATE rating_state SET rated_wh = rated_wh + 1, readings_parked = 0, "
                "day_wh = day_wh + 1, month_wh = month_wh - 1"
            )
        )
    broken = await invariants.check(harness.database, RULES)
    assert {violation.rule.name for violation in broken} == {rule.name for rule in RULES}
