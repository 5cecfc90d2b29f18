"""K3: a government changes the clocks; days that were posted stay as they are."""

import struct
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.tariff import OPENED_S, PARTITION, TariffHarness, opened, readings

from npms_tariff.domain.calendar import day_start_s
from npms_tariff.handlers.run_corrections import correct_batch

pytestmark = pytest.mark.usefixtures("plans")
HOUR_S, DAY_S = 3600, 86_400
ZONE = "Test/Changing"


def written(first_offset_h: int, *changes: tuple[int, int]) -> bytes:
    """A zone file: (instant, hours ahead of UTC from then on) after the first offset."""
    offsets = [first_offset_h, *(hours for _, hours in changes)]
    counts = (0, 0, 0, len(changes), len(offsets), 4)

    def block(version: bytes, form: str) -> bytes:
        head = b"TZif" + version + bytes(15) + struct.pack(">6l", *counts)
        times = struct.pack(f">{len(changes)}{form}", *(at for at, _ in changes))
        kinds = bytes(range(1, len(offsets)))
        types = b"".join(struct.pack(">lbb", hours * HOUR_S, 0, 0) for hours in offsets)
        return head + times + kinds + types + b"TST\0"

    return block(b"2", "l") + block(b"2", "q") + f"\nTST{-offsets[-1]}\n".encode()


class Clocks:
    def __init__(self, folder: Path) -> None:
        self._file = folder / ZONE
        self._file.parent.mkdir()

    def rule(self, first_offset_h: int, *changes: tuple[int, int]) -> None:
        """As a new release of the time zone data, after a restart."""
        self._file.write_bytes(written(first_offset_h, *changes))
        zoneinfo.ZoneInfo.clear_cache()
        day_start_s.cache_clear()


@pytest.fixture
def clocks(tmp_path: Path) -> Iterator[Clocks]:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path), *before])
    yield Clocks(tmp_path)
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()
    day_start_s.cache_clear()


def use(installation_id: int, hours: range) -> list[tuple[int, int, int]]:
    return [(installation_id, hour * HOUR_S, 1000 + hour * 900) for hour in hours]


async def posted(harness: TariffHarness) -> tuple[list, list]:
    return (
        await harness.rows("SELECT * FROM usage_hour ORDER BY installation_id, hour_s"),
        await harness.rows("SELECT * FROM rating_scope ORDER BY 1, 2, 3"),
    )


async def test_k3_days_that_were_posted_stay_when_a_zone_s_rule_changes(harness, clocks):
    """From UTC+3 to UTC+5, told of when days under the new rule had been rated by the old one."""
    clocks.rule(3)
    for i, plan in ((1, "household-tou"), (2, "household-flat")):
        await harness.hear(opened(i, plan_code=plan, time_zone=ZONE))
        await harness.read(readings(*use(i, range(1, 24 * 5))))
    before = await posted(harness)
    charged = [await harness.charged_micro(i) for i in (1, 2)]
    clocks.rule(3, (OPENED_S + 3 * DAY_S, 5))
    after_restart = TariffHarness(harness.database, harness.clock)
    async with harness.database.transaction() as conn:
        assert not await correct_batch(conn, after_restart.context)
    assert await posted(harness) == before
    assert [await harness.charged_micro(i) for i in (1, 2)] == charged
    for i in (1, 2):
        await after_restart.read(readings(*use(i, range(24 * 5, 24 * 9))))
    hours, scopes = await posted(harness)
    assert [row for row in hours if row in before[0]] == before[0]
    assert scopes == before[1]
    assert await harness.adjustments() == []
    await harness.assert_rules_hold()


async def test_k3_each_local_day_is_charged_once_across_the_change(harness, clocks):
    """The flat plan has five a day: as many as days begun, the shortened one among them."""
    clocks.rule(3)
    await harness.hear(opened(2, plan_code="household-flat", time_zone=ZONE))
    await harness.read(readings(*use(2, range(1, 24 * 5))))
    clocks.rule(3, (OPENED_S + 6 * DAY_S, 5))
    after_restart = TariffHarness(harness.database, harness.clock)
    await after_restart.read(readings(*use(2, range(24 * 5, 24 * 9))))
    after_restart.partitions.forget(PARTITION)
    standing = sum(
        line[4]
        for batch in await harness.charges()
        for lines in batch.lines
        for line in lines
        if line[0] == "fixed:standing"
    )
    assert standing == 10 * 5_000_000
