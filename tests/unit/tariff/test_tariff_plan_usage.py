"""Plans' usage is the sum of the hours of their installations, each where it belongs."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tariff.strategies import FLAT, opened, versions_of

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan_usage import PlanUsage

NAIROBI = ZoneInfo("Africa/Nairobi")
NOON_S = int(datetime(2026, 11, 2, 12, tzinfo=NAIROBI).timestamp())
HOURS = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.integers(0, 40).map(lambda hour: NOON_S + hour * 3600),
        st.integers(0, 5000),
        st.integers(-10, 10**8),
    ),
    max_size=60,
)


def two_versions() -> Calendar:
    return Calendar(versions_of((0, FLAT), (NOON_S + 5 * 3600, FLAT)), NAIROBI)


@given(HOURS, st.integers(0, 15))
def test_every_hour_counts_once_for_its_version(hours, partition):
    calendar = two_versions()
    first, second = (
        calendar.cell_at(at_s).tariff.version_id for at_s in (NOON_S, NOON_S + 5 * 3600)
    )
    states = {number: opened(calendar, NOON_S, 0) for number in range(1, 6)}
    used = PlanUsage()
    used.add(partition, hours, states)
    rows = used.rows()
    totals = [sum(column) for column in zip(*((1, *hour[2:]) for hour in hours), strict=True)]
    assert [sum(column) for column in zip(*(row[4:] for row in rows), strict=True)] == totals
    assert {row[1] for row in rows} <= {partition}
    assert rows == sorted(rows)
    for version, _, hour_s, *_ in rows:
        assert version == (first if hour_s < NOON_S + 5 * 3600 else second)


def test_the_day_is_that_of_the_account_and_partitions_stay_apart():
    calendar = two_versions()
    states = {1: opened(calendar, NOON_S, 0)}
    used = PlanUsage()
    used.add(1, [(1, NOON_S + 11 * 3600, 5, 50), (1, NOON_S + 12 * 3600, 7, 70)], states)
    used.add(2, [(1, NOON_S + 12 * 3600, 9, 90)], states)
    assert [(row[1], *row[3:]) for row in used.rows()] == [
        (1, 20261102, 1, 5, 50),
        (1, 20261103, 1, 7, 70),
        (2, 20261103, 1, 9, 90),
    ]
