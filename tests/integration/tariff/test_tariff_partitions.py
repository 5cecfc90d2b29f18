"""Hours lie in a partition a month; what was there before the partitions is kept."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.tariff import TariffHarness

JANUARY_S, FEBRUARY_S = 1_767_225_600, 1_769_904_000
"""2026-01-01 and 2026-02-01, UTC."""


async def hours(harness: TariffHarness, *starts_s: int) -> None:
    async with harness.database.transaction() as conn:
        for start_s in starts_s:
            await conn.execute(
                text("INSERT INTO usage_hour VALUES (1, :hour_s, 5, 50)"), {"hour_s": start_s}
            )


async def made(harness: TariffHarness, day: str) -> bool:
    async with harness.database.transaction() as conn:
        done = await conn.execute(text(f"SELECT usage_hour_make('{day}')"))
        return bool(done.scalar_one())


async def placed(harness: TariffHarness) -> list[tuple[str, int]]:
    return await harness.rows(
        "SELECT CAST(CAST(tableoid AS regclass) AS text), hour_s FROM usage_hour ORDER BY hour_s"
    )


async def test_an_hour_without_a_partition_is_kept_and_moves_when_its_month_gets_one(harness):
    await hours(harness, JANUARY_S - 3600, JANUARY_S, FEBRUARY_S - 3600, FEBRUARY_S)
    assert {table for table, _ in await placed(harness)} == {"usage_hour_rest"}
    assert await made(harness, "2026-01-17")
    assert not await made(harness, "2026-01-01"), "it is there already"
    assert await placed(harness) == [
        ("usage_hour_rest", JANUARY_S - 3600),
        ("usage_hour_202601", JANUARY_S),
        ("usage_hour_202601", FEBRUARY_S - 3600),
        ("usage_hour_rest", FEBRUARY_S),
    ]
    await hours(harness, JANUARY_S + 3600)
    assert ("usage_hour_202601", JANUARY_S + 3600) in await placed(harness)


async def test_a_month_can_be_made_by_two_at_a_time(harness):
    done = await asyncio.gather(*(made(harness, "2026-01-01") for _ in range(4)))
    assert sorted(done) == [False, False, False, True]


async def test_the_application_owns_no_partition_and_reaches_them_through_the_table_only(harness):
    await made(harness, "2026-01-01")
    for statement in ("DROP TABLE usage_hour_202601", "SELECT * FROM usage_hour_202601"):
        async with harness.database.connect() as conn:
            with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
                await conn.execute(text(statement))


async def test_hours_of_before_the_partitions_are_moved_into_their_months(old_database):
    migrate, conn = old_database
    await migrate("0004")
    await conn.execute(
        "INSERT INTO usage_hour SELECT i, $1 + h * 3600, i, h "
        "FROM generate_series(1, 3) i, generate_series(0, 1499) h",
        JANUARY_S,
    )
    await migrate("0005")
    months = await conn.fetch(
        "SELECT CAST(CAST(tableoid AS regclass) AS text) AS month, count(*), sum(energy_wh) "
        "FROM usage_hour GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in months] == [
        ("usage_hour_202601", 3 * 744, 6 * 744),
        ("usage_hour_202602", 3 * 672, 6 * 672),
        ("usage_hour_202603", 3 * 84, 6 * 84),
    ]
