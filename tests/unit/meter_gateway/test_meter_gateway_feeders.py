"""R18: what a feeder delivered against what its members counted."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.feeder import Around, Day, days_of, sum_check

DAY = Day(date(2026, 3, 2), 0, 86_400)


def moved(energy_wh: int, first_wh: int = 1_000) -> dict[int, Around]:
    """Read in the second of both midnights."""
    return {
        0: Around((0, first_wh), (900, first_wh)),
        86_400: Around((86_400, first_wh + energy_wh), None),
    }


def known(**by_one: dict[int, Around]) -> dict[tuple[int, int], Around]:
    return {
        (int(one[1:]), at): around for one, both in by_one.items() for at, around in both.items()
    }


@pytest.mark.parametrize(
    ("delivered_wh", "loss_wh", "is_beyond"),
    [(10_000, 0, False), (10_800, 800, False), (10_870, 870, True), (9_000, -1_000, True)],
)
def test_r18_a_loss_beyond_the_tolerance_is_found_either_way(
    delivered_wh: int,
    loss_wh: int,
    is_beyond: bool,  # noqa: FBT001
) -> None:
    around = known(i1=moved(delivered_wh), i2=moved(6_000), i3=moved(4_000))
    loss = sum_check(DAY, 1, [2, 3], around)
    assert (loss.loss_wh, loss.is_beyond(80_000)) == (loss_wh, is_beyond)
    assert loss.loss_ppm == loss_wh * 1_000_000 // delivered_wh


def test_r18_a_member_without_readings_is_named_and_nothing_is_judged() -> None:
    silent = {0: Around((-90_000, 5), None), 86_400: Around((-90_000, 5), None)}
    loss = sum_check(DAY, 1, [2, 3], known(i1=moved(10_000), i2=moved(6_000), i3=silent))
    assert (loss.missing, loss.members_wh) == ((3,), 6_000)
    assert (loss.loss_wh, loss.is_beyond(80_000), loss.loss_ppm) == (None, None, None)


def test_r18_a_register_between_two_readings_far_apart_is_an_estimate() -> None:
    seldom = {
        0: Around((-43_200, 0), (43_200, 8_000)),
        86_400: Around((43_200, 8_000), (129_600, 16_000)),
    }
    loss = sum_check(DAY, 1, [2], known(i1=moved(8_000), i2=seldom))
    assert (loss.members_wh, loss.estimated, loss.loss_wh) == (8_000, (2,), 0)


def test_r18_a_meter_counts_nothing_before_its_opening_and_after_its_closing() -> None:
    begun = {0: Around(None, (40_000, 7_000)), 86_400: Around((80_000, 9_000), (90_000, 9_500))}
    ended = {0: Around((0, 100), (900, 100)), 86_400: Around((50_000, 600), None, True)}
    loss = sum_check(DAY, 1, [2, 3], known(i1=moved(3_000), i2=begun, i3=ended))
    assert loss.members_wh == (9_000 + 500 * 6_400 // 10_000 - 7_000) + 500
    assert loss.missing == ()


@given(
    st.lists(st.integers(0, 5_000), min_size=2, max_size=30),
    st.integers(0, 7 * 86_400),
)
def test_r18_days_add_up_to_what_the_registers_moved(moves: list[int], start_s: int) -> None:
    """Wherever midnight falls between two readings, nothing is counted twice or lost."""
    readings, register_wh = [(start_s, 0)], 0
    for number, moved_wh in enumerate(moves, start=1):
        register_wh += moved_wh
        readings.append((start_s + number * 5_000, register_wh))

    def register_at(at_s: int) -> int | None:
        before = max((one for one in readings if one[0] <= at_s), default=None)
        after = min((one for one in readings if one[0] > at_s), default=None)
        if before is None:
            return Around(None, readings[0]).register_at(at_s)
        return Around(before, after, is_past_closing=after is None).register_at(at_s)

    edges = range(0, readings[-1][0] + 86_400 * 2, 86_400)
    found = [register_at(edge) for edge in edges]
    assert None not in found
    assert found == sorted(found)  # type: ignore[type-var]
    assert (found[0], found[-1]) == (0, register_wh)


@pytest.mark.parametrize(("first", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_r18_days_have_as_many_hours_as_they_have(first: date, hours: int) -> None:
    (day,) = days_of(first, date(first.year, first.month, first.day + 1), ZoneInfo("Europe/Berlin"))
    assert day.end_s - day.begin_s == hours * 3600
