"""R9: who is silent is charged by estimate, and what was estimated is taken back in one entry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.tariff import (
    OPENED_AT,
    OPENED_S,
    PARTITION,
    TariffHarness,
    charge_silence,
    opened,
    readings,
)

from npms_shared.contracts.ledger import InstallationClosed
from npms_tariff.storage.states import StaleState

pytestmark = pytest.mark.usefixtures("plans")
HOUR_S, DAY_S = 3600, 86_400
FIRST_DAY = 16 * HOUR_S
"""From the opening at 08:00 in Nairobi to the first midnight."""
PLANS = ["household-flat", "household-tou", "household-blocks"]
KWH_A_HOUR = 1200


def steady(hour: int) -> tuple[int, int]:
    """(seconds after opening, register) of somebody who uses the same in every hour."""
    return hour * HOUR_S, 1000 + hour * KWH_A_HOUR


async def use(harness: TariffHarness, hours: range, installation_id: int = 1) -> None:
    await read(harness, *[(installation_id, *steady(hour)) for hour in hours])


async def read(harness: TariffHarness, *rows: tuple[int, int, int]) -> None:
    """As they come, and as the frame does: rated again when somebody else changed a state."""
    harness.clock.at = max(harness.clock.at, OPENED_AT + timedelta(seconds=rows[-1][1]))
    await harness.read_through(*rows)


async def pass_silence(harness: TariffHarness, seconds: int, *, after_h: int = 24) -> None:
    """The loop's whole pass, so long after the opening."""
    harness.clock.at = OPENED_AT + timedelta(seconds=seconds)
    await charge_silence(replace(harness.context, silence_after_h=after_h))


@pytest.mark.parametrize("plan_code", PLANS)
async def test_r9_estimates_and_one_settlement_cost_what_continuous_readings_would(
    harness, plan_code
):
    await harness.hear(opened(1, plan_code=plan_code))
    await harness.hear(opened(2, plan_code=plan_code))
    await use(harness, range(1, 24 * 9 + 6))
    await use(harness, range(1, 24 * 14), installation_id=2)
    before = await harness.charged_micro()
    await pass_silence(harness, FIRST_DAY + 13 * DAY_S)
    await pass_silence(harness, FIRST_DAY + 13 * DAY_S + 2 * HOUR_S)
    estimates = await harness.adjustments()
    assert [e.kind for e in estimates] == ["provisional"] * 4
    assert [e.from_s - OPENED_S for e in estimates] == [
        FIRST_DAY + day * DAY_S for day in range(9, 13)
    ]
    assert all(e.energy_wh == 0 for e in estimates)
    assert all(sum(line[3] for line in e.lines) == 24 * KWH_A_HOUR for e in estimates)
    assert await harness.charged_micro() > before
    await read(harness, (1, *steady(24 * 14 - 1)))
    (settlement,) = (await harness.adjustments())[4:]
    assert settlement.kind == "settlement"
    assert settlement.amount_micro == -sum(e.amount_micro for e in estimates)
    assert settlement.tax_micro == -sum(e.tax_micro for e in estimates)
    assert (settlement.from_s, settlement.to_s) == (estimates[0].from_s, estimates[-1].to_s)
    assert await harness.charged_micro(1) == await harness.charged_micro(2)
    await harness.assert_rules_hold()


async def test_r9_an_even_user_s_estimate_is_what_the_day_will_cost(harness):
    """So that neither the customer nor the company sees a jump when readings are back."""
    await harness.hear(opened(1, plan_code="household-tou"))
    await use(harness, range(1, 17))
    await use(harness, range(17, 24 * 8 + 17))
    await pass_silence(harness, FIRST_DAY + 10 * DAY_S)
    estimated = await harness.charged_micro()
    await read(harness, (1, *steady(24 * 10 + 16)))
    assert await harness.charged_micro() == estimated


async def test_days_are_estimated_once_and_only_after_the_silence(harness):
    await harness.hear(opened(1))
    await use(harness, range(1, 24 * 3))
    quiet_from = (24 * 3 - 1) * HOUR_S
    await pass_silence(harness, quiet_from + DAY_S - 1)
    assert await harness.adjustments() == []
    await pass_silence(harness, FIRST_DAY + 5 * DAY_S - 1)
    assert len(await harness.adjustments()) == 1
    for _ in range(3):
        await pass_silence(harness, FIRST_DAY + 5 * DAY_S)
    assert len(await harness.adjustments()) == 2


async def test_without_a_day_of_use_nothing_is_estimated(harness):
    await harness.hear(opened(1))
    await use(harness, range(1, 10))
    await pass_silence(harness, 5 * DAY_S)
    assert await harness.adjustments() == []


async def test_a_late_reading_settles_only_the_days_it_reaches(harness):
    await harness.hear(opened(1))
    await use(harness, range(1, 24 * 3))
    await pass_silence(harness, FIRST_DAY + 6 * DAY_S)
    assert len(await harness.adjustments()) == 3
    await read(harness, (1, *steady(24 * 4)))
    await read(harness, (1, *steady(24 * 4 + 1)))
    settlements = [e for e in await harness.adjustments() if e.kind == "settlement"]
    assert [e.to_s - e.from_s for e in settlements] == [DAY_S]
    harness.partitions.forget(PARTITION)
    await read(harness, (1, *steady(24 * 7)))
    assert sum(e.amount_micro for e in await harness.adjustments()) == 0
    await pass_silence(harness, FIRST_DAY + 8 * DAY_S)
    days = await harness.rows("SELECT day_s FROM provisional WHERE settlement_id IS NULL")
    assert [day - OPENED_S for (day,) in days] == [FIRST_DAY + 7 * DAY_S]


async def test_gaps_are_no_days_of_use(harness):
    """What was estimated once says nothing of what is usual."""
    await harness.hear(opened(1))
    await use(harness, range(1, 24 * 2))
    await pass_silence(harness, FIRST_DAY + 4 * DAY_S)
    assert len(await harness.adjustments()) == 2
    await read(harness, (1, 24 * 6 * HOUR_S, 9_000_000))
    harness.partitions.forget(PARTITION)
    await pass_silence(harness, FIRST_DAY + 9 * DAY_S)
    (energy,) = await harness.one(
        "SELECT DISTINCT energy_wh FROM provisional WHERE settlement_id IS NULL"
    )
    hours = await harness.rows("SELECT hour_s, energy_wh FROM usage_hour")
    valid = [
        sum(wh for at_s, wh in hours if begin <= at_s - OPENED_S < begin + DAY_S)
        for begin in (FIRST_DAY, FIRST_DAY + DAY_S, FIRST_DAY + 4 * DAY_S)
    ]
    assert energy == sum(valid) // len(valid)


async def test_a_held_or_closed_installation_is_not_estimated(harness):
    for i in (1, 2):
        await harness.hear(opened(i))
        await use(harness, range(1, 24 * 3), installation_id=i)
    await harness.read(readings((1, 24 * 3 * HOUR_S, 5)))
    closing = InstallationClosed(
        installation_id=2,
        account_id=102,
        closing_register_wh=steady(24 * 3)[1],
        closed_at=OPENED_AT + timedelta(days=3),
    )
    await harness.hear(closing)
    await pass_silence(harness, FIRST_DAY + 6 * DAY_S)
    assert await harness.adjustments() == []


async def test_closing_settles(harness):
    await harness.hear(opened(1))
    await use(harness, range(1, 24 * 3))
    await pass_silence(harness, FIRST_DAY + 6 * DAY_S)
    closing = InstallationClosed(
        installation_id=1,
        account_id=101,
        closing_register_wh=steady(24 * 7)[1],
        closed_at=OPENED_AT + timedelta(days=7),
    )
    await harness.hear(closing)
    assert [e.kind for e in await harness.adjustments()][-1] == "settlement"
    assert sum(e.amount_micro for e in await harness.adjustments()) == 0


async def test_days_of_23_and_25_hours_are_estimated_whole(harness):
    """Berlin's clocks change on the night to 29 March 2026."""
    opened_at = datetime(2026, 3, 20, 12, tzinfo=UTC)
    await harness.hear(
        opened(1, opened_at=opened_at, time_zone="Europe/Berlin", plan_code="household-flat")
    )
    start = int(opened_at.timestamp()) - OPENED_S
    rows = [(1, start + hour * HOUR_S, 1000 + 1000 * hour) for hour in range(1, 24 * 7)]
    await read(harness, *rows)
    await pass_silence(harness, start + 24 * 11 * HOUR_S)
    spans = [e.to_s - e.from_s for e in await harness.adjustments()]
    assert spans == [DAY_S, 23 * HOUR_S, DAY_S]


async def test_an_estimate_in_between_makes_the_cached_state_stale(harness):
    await harness.hear(opened(1))
    await use(harness, range(1, 24 * 3))
    await pass_silence(harness, FIRST_DAY + 5 * DAY_S)
    harness.clock.at = OPENED_AT + timedelta(days=6)
    with pytest.raises(StaleState):
        await harness.read(readings((1, *steady(24 * 6))))
    assert [e.kind for e in await harness.adjustments()] == ["provisional"] * 2
    await harness.read(readings((1, *steady(24 * 6))))
    assert [e.kind for e in await harness.adjustments()][-1] == "settlement"
