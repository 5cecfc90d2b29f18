"""Days and months are rolled up while rating; old hours go, and what they held stays."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.support.tariff import TariffHarness, opened, readings
from tests.support.wait import until

from npms_shared.clock import ManualClock
from npms_shared.db import invariants
from npms_tariff.domain.calendar import day_start_s, local_day
from npms_tariff.handlers.keep_usage import keep_usage, keep_usage_forever
from npms_tariff.invariants import RULES
from npms_tariff.storage import usage

pytestmark = pytest.mark.usefixtures("plans")

ZONES = ("Africa/Nairobi", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe")
OPEN = (
    "SELECT installation_id, day_s, day_wh, day_micro, month_wh, month_micro "
    "FROM rating_state ORDER BY 1"
)
PLANS_USE = (
    "SELECT plan_version_id, {at}, CAST(sum(installation_hours) AS bigint), "
    "CAST(sum(energy_wh) AS bigint), CAST(sum(amount_micro) AS bigint) "
    "FROM {table} GROUP BY 1, 2 ORDER BY 1, 2"
)
LONG = {"from": "2026-10-01T00:00:00Z", "to": "2027-05-01T00:00:00Z"}


async def live(harness: TariffHarness, *, days: int = 100) -> None:
    """An installation in each zone, read every 5 hours and 7 minutes from November 2 on."""
    for number, zone in enumerate(ZONES, start=1):
        await harness.hear(opened(number, time_zone=zone))
    steps = range(1, days * 86_400 // 18_420)
    harness.clock.advance(timedelta(days=days))
    for first in range(1, len(steps), 50):
        rows = [
            (number, step * 18_420, 1000 + step * (90 + number) + step % 7)
            for step in range(first, min(first + 50, len(steps)))
            for number in range(1, len(ZONES) + 1)
        ]
        await harness.read(readings(*rows))


async def by_hour(harness: TariffHarness) -> list[tuple[int, str, int, int, int]]:
    """(installation, zone, hour, Wh, micro), without the open hour."""
    return await harness.rows(
        "SELECT installation_id, time_zone, hour_s, energy_wh, amount_micro "
        "FROM usage_hour JOIN installation USING (installation_id)"
    )


async def test_days_and_months_hold_what_their_hours_do(harness):
    await live(harness)
    days: dict[tuple[int, int], Counter[str]] = {}
    months: dict[tuple[int, int], Counter[str]] = {}
    for number, zone, hour_s, wh, micro in await by_hour(harness):
        day = local_day(hour_s, ZoneInfo(zone))
        used = Counter(wh=wh, micro=micro)
        key = (number, day_start_s(day, ZoneInfo(zone)))
        days[key] = days.get(key, Counter()) + used
        key = (number, day.year * 100 + day.month)
        months[key] = months.get(key, Counter()) + used
    open_day = dict(await harness.rows("SELECT installation_id, day_s FROM rating_state"))
    open_month = dict(await harness.rows("SELECT installation_id, month FROM rating_state"))
    for found, expected, still_open in (
        (await harness.rows("SELECT * FROM usage_day"), days, open_day),
        (await harness.rows("SELECT * FROM usage_month"), months, open_month),
    ):
        over = {key: used for key, used in expected.items() if key[1] != still_open[key[0]]}
        assert {row[:2]: row[2:] for row in found} == {
            key: (used["wh"], used["micro"]) for key, used in over.items()
        }
    assert len(months) == 4 * len(ZONES)
    await harness.assert_rules_hold()


async def test_series_by_hour_day_and_month_sum_to_the_same_with_what_is_open(harness, client):
    await live(harness)
    for number in range(1, len(ZONES) + 1):
        (wh, micro) = await harness.one(
            "SELECT rated_wh, charged_micro FROM rating_state WHERE installation_id = :id",
            id=number,
        )
        for resolution in ("day", "month"):
            query = LONG | {"resolution": resolution}
            answer = await client.get(f"/v1/accounts/{number + 100}/usage", params=query)
            items = answer.json()["items"]
            assert sum(round(float(item["energy"]["value"]) * 1000) for item in items) == wh
            assert sum(round(float(item["cost"]["amount"]) * 10**6) for item in items) == micro
            assert [item["open"] for item in items] == [False] * (len(items) - 1) + [True]
            assert all(item["to"] == following["from"] for item, following in pairwise(items))


async def keep_two_months(harness: TariffHarness) -> int:
    """On 11 February."""
    clock = ManualClock(datetime(2027, 2, 11, tzinfo=UTC))
    return await keep_usage(replace(harness.context, clock=clock, hours_kept_months=2))


async def test_old_hours_are_dropped_and_days_and_months_still_answer(harness, client):
    await live(harness)
    url = "/v1/accounts/101/usage"
    before = {
        resolution: (await client.get(url, params=LONG | {"resolution": resolution})).json()
        for resolution in ("day", "month")
    }
    assert await keep_two_months(harness) == 1
    assert await keep_two_months(harness) == 0
    (first_s,) = await harness.one("SELECT min(hour_s) FROM usage_hour")
    assert datetime.fromtimestamp(first_s, UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert await harness.rows("SELECT to_regclass('usage_hour_202611')") == [(None,)]
    for resolution, shown in before.items():
        answer = await client.get(url, params=LONG | {"resolution": resolution})
        assert answer.json() == shown
    await harness.assert_rules_hold()
    later = [(number, 101 * 86_400, 10**6) for number in range(1, len(ZONES) + 1)]
    await harness.read(readings(*later))
    await harness.assert_rules_hold()


async def test_hours_that_their_days_do_not_hold_are_not_dropped(harness):
    await live(harness)
    async with harness.database.transaction() as conn:
        await conn.execute(
            text(
                "UPDATE usage_day SET energy_wh = energy_wh + 1 "
                "WHERE installation_id = 2 AND day_s = ("
                "SELECT min(day_s) + 864000 FROM usage_day WHERE installation_id = 2)"
            )
        )
    count = await harness.one("SELECT count(*) FROM usage_hour")
    with pytest.raises(IntegrityError, match="the days of 1 installations do not hold"):
        await keep_two_months(harness)
    assert await harness.one("SELECT count(*) FROM usage_hour") == count
    broken = await invariants.check(harness.database, RULES)
    assert {one.rule.name for one in broken} >= {"days_add_up"}


async def test_a_past_that_is_corrected_is_added_to_wherever_it_lies(harness):
    await live(harness)
    await keep_two_months(harness)
    zone = ZoneInfo(ZONES[0])
    for day in (date(2026, 11, 20), date(2027, 1, 20)):
        day_s = day_start_s(day, zone)
        async with harness.database.transaction() as conn:
            await usage.add_hours(conn, [(1, day_s + 7200, -3, -30)])
            await usage.add_days(conn, [(1, day_s, -3, -30)])
            await usage.add_months(conn, [(1, day.year * 100 + day.month, -3, -30)])
            await conn.execute(
                text(
                    "UPDATE rating_state SET rated_wh = rated_wh - 3, "
                    "charged_micro = charged_micro - 30, register_wh = register_wh - 3 "
                    "WHERE installation_id = 1"
                )
            )
        broken = await invariants.check(harness.database, RULES)
        assert {one.rule.name for one in broken} <= {"scopes_add_up"}
    await keep_two_months(harness)
    (first_s,) = await harness.one("SELECT min(hour_s) FROM usage_hour")
    assert datetime.fromtimestamp(first_s, UTC) == datetime(2026, 12, 1, tzinfo=UTC)


async def test_the_worker_makes_months_ahead_and_drops_old_ones(harness):
    await live(harness)
    stopping = asyncio.Event()
    harness.clock.at = datetime(2027, 4, 5, tzinfo=UTC)
    context = replace(harness.context, hours_kept_months=3)
    keeping = asyncio.create_task(keep_usage_forever(context, stopping))

    async def kept() -> bool:
        (made,) = await harness.one("SELECT to_regclass('usage_hour_202706')")
        (from_s,) = await harness.one("SELECT hours_from_s FROM usage_kept")
        return made is not None and from_s == datetime(2027, 1, 1, tzinfo=UTC).timestamp()

    await until(kept, within_s=20, what="the months")
    stopping.set()
    await asyncio.wait_for(keeping, 5)
    await harness.assert_rules_hold()


def _as_copied(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


async def test_what_was_used_before_roll_ups_is_rolled_up_as_rating_would_have(
    harness, old_database
):
    """The same hours and states, taken to the days by the migration."""
    await live(harness)
    migrate, old = old_database
    await migrate("0006")
    for table in ("plan", "plan_version", "installation", "rating_state", "usage_hour"):
        async with harness.database.connect() as conn:
            rows = await conn.execute(text(f"TABLE {table}"))
            columns = list(rows.keys())
            await old.copy_records_to_table(
                table,
                records=[tuple(map(_as_copied, row)) for row in rows],
                columns=columns,
            )
    await old.execute(
        "UPDATE rating_state SET day_s = 0, day_wh = 0, day_micro = 0, month_wh = 0, "
        "month_micro = 0"
    )
    await migrate("0009")
    for query in (
        "SELECT * FROM usage_day ORDER BY 1, 2",
        "SELECT * FROM usage_month ORDER BY 1, 2",
        OPEN,
        PLANS_USE.format(table="usage_plan_hour", at="hour_s"),
        PLANS_USE.format(table="usage_plan_day", at="day"),
    ):
        assert [tuple(row) for row in await old.fetch(query)] == await harness.rows(query)
