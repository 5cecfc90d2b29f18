from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_notifier.domain.quiet_hours import QuietHours, parse_quiet_hours

NAIROBI = ZoneInfo("Africa/Nairobi")
NIGHT = parse_quiet_hours("21:00-07:00")
FIRST, LAST = datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2030-01-01")


@pytest.mark.parametrize(
    ("local", "wait"),
    [
        ("20:59", timedelta()),
        ("21:00", timedelta(hours=10)),
        ("23:30", timedelta(hours=7, minutes=30)),
        ("06:59", timedelta(minutes=1)),
        ("07:00", timedelta()),
        ("12:00", timedelta()),
    ],
)
def test_the_night_is_waited_out(local: str, wait: timedelta) -> None:
    at = datetime.combine(date(2026, 11, 23), time.fromisoformat(local), NAIROBI)
    assert NIGHT.wait(at.astimezone(UTC), NAIROBI) == wait


def test_hours_within_one_day() -> None:
    noon = parse_quiet_hours("12:00-13:00")
    assert noon == QuietHours(time(12), time(13))
    assert noon.wait(datetime(2026, 11, 23, 12, 15, tzinfo=UTC), ZoneInfo("UTC")) == timedelta(
        minutes=45
    )


@given(
    st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
    st.sampled_from(["Africa/Nairobi", "Europe/London", "America/New_York", "Asia/Kathmandu"]),
)
def test_after_the_wait_it_is_quiet_no_more(at: datetime, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    wait = NIGHT.wait(at, zone)
    assert timedelta() <= wait <= timedelta(hours=11)
    assert NIGHT.wait(at + wait, zone) == timedelta()


@pytest.mark.parametrize("text", ["", "21-07", "24:00-07:00", "21:00-07:60", "07:00-07:00"])
def test_wrong_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HH:MM|empty"):
        parse_quiet_hours(text)
