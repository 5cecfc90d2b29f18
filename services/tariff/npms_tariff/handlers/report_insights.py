"""What an account's use says: trend, base load, peaks, comparisons, days left."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.domain import forecast
from npms_tariff.domain.calendar import day_start_s, local_day, local_hours
from npms_tariff.domain.insights import (
    DAYS_NEEDED,
    LEAST_OTHERS,
    TREND_DAYS,
    Change,
    Day,
    PeakHour,
    base_load_w,
    peak_hours,
    trend,
)
from npms_tariff.handlers.report_usage import UnknownAccount, zone_of
from npms_tariff.storage import holds, insights, usage
from npms_tariff.storage.insights import ClassMiddle, Subject

DAYS_READ = 2 * TREND_DAYS
_DAY = timedelta(days=1)
_NO_CLASS = f"fewer than {LEAST_OTHERS} other accounts of the class to compare with"
_NO_WEEK = f"fewer than {DAYS_NEEDED} full days of readings"


@dataclass(frozen=True, slots=True)
class OwnPast:
    """The last full month (yyyymm) against an earlier one."""

    month: int
    against: int
    change: Change


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """The last full month against the median of others."""

    month: int
    energy_wh: int
    middle: ClassMiddle


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """None is no end within ten years."""

    days: float | None
    runs_out_at: datetime | None
    days_of_data: int


@dataclass(slots=True)
class Insights:
    """What could be concluded; `withheld` has the reason for each thing that could not, by name."""

    subject: Subject
    time_zone: str
    days: Sequence[Day]
    trend: Change | None = None
    base_load_w: int | None = None
    peak_hours: list[PeakHour] | None = None
    own_past: list[OwnPast] = field(default_factory=list)
    class_comparison: ClassComparison | None = None
    days_left: DaysLeft | None = None
    withheld: dict[str, str] = field(default_factory=dict)
    held_since: datetime | None = None


async def report_insights(
    conn: AsyncConnection,
    account_id: int,
    *,
    principal: Principal,
    now: datetime,
    balance_micro: int | None,
) -> Insights:
    """Raises UnknownAccount. Without a balance the days left stay unknown."""
    zone = await zone_of(conn, account_id, principal)
    subject = await insights.find_subject(conn, account_id)
    if subject is None:
        raise UnknownAccount
    days = await _full_days(conn, account_id, subject, zone)
    found = Insights(subject, zone.key, days, held_since=await _held_since(conn, account_id))
    _add_trend(found)
    await _add_hours(conn, account_id, found, zone)
    await _add_months(conn, account_id, found, zone)
    if balance_micro is not None:
        _add_days_left(found, balance_micro, now.astimezone(zone), zone)
    return found


async def _held_since(conn: AsyncConnection, account_id: int) -> datetime | None:
    """Since when nothing of a meter of the account is rated; None where all are."""
    held = await holds.list_holds(conn, before=None, limit=1, account_id=account_id, only_open=True)
    return held[0].held_at if held else None


async def _full_days(
    conn: AsyncConnection, account_id: int, subject: Subject, zone: ZoneInfo
) -> list[Day]:
    """The days that are over, those of nothing included, from the first whole one on."""
    if not subject.open_day_s:
        return []
    end = local_day(subject.open_day_s, zone)
    opened = local_day(int(subject.opened_at.timestamp()) - 1, zone) + _DAY
    first = max(opened, end - DAYS_READ * _DAY)
    used = await usage.read_usage(
        conn,
        account_id,
        resolution="day",
        begins=day_start_s(first, zone),
        ends=day_start_s(end, zone),
    )
    by_day = {local_day(day.at, zone): (day.energy_wh, day.amount_micro) for day in used}
    count = max(0, (end - first).days)
    return [Day(day, *by_day.get(day, (0, 0))) for day in (first + n * _DAY for n in range(count))]


def _add_trend(found: Insights) -> None:
    found.trend = trend(found.days)
    if found.trend is None:
        found.withheld["trend"] = f"fewer than {DAYS_READ} full days of readings"


async def _add_hours(
    conn: AsyncConnection, account_id: int, found: Insights, zone: ZoneInfo
) -> None:
    days = [day.day for day in found.days[-TREND_DAYS:]]
    if len(days) < DAYS_NEEDED:
        found.withheld |= {"base_load": _NO_WEEK, "peak_hours": _NO_WEEK}
        return
    begins, ends = day_start_s(days[0], zone), day_start_s(days[-1] + _DAY, zone)
    used = await usage.read_usage(conn, account_id, resolution="hour", begins=begins, ends=ends)
    known = {hour.at: hour.energy_wh for hour in used}
    by_day: dict[date, list[int]] = defaultdict(list)
    by_hour: dict[int, list[int]] = defaultdict(list)
    for hour_s in sorted({*local_hours(begins, ends, zone), *known}):
        local = datetime.fromtimestamp(hour_s, UTC).astimezone(zone)
        by_day[local_day(hour_s, zone)].append(known.get(hour_s, 0))
        by_hour[local.hour].append(known.get(hour_s, 0))
    found.base_load_w = base_load_w(by_day)
    found.peak_hours = peak_hours(by_hour, len(days))


async def _add_months(
    conn: AsyncConnection, account_id: int, found: Insights, zone: ZoneInfo
) -> None:
    """The last full month against the one before, the same a year ago, and others."""
    subject = found.subject
    if not subject.open_day_s:
        found.withheld |= {"own_past": _NO_WEEK, "class_comparison": _NO_WEEK}
        return
    ends = local_day(subject.open_day_s, zone).replace(day=1)
    last = _month_before(ends)
    whole = [month for month in _months_of_interest(last) if _was_metered(subject, month, zone)]
    used = await usage.read_usage(
        conn, account_id, resolution="month", begins=_number(whole[-1]) if whole else 0,
        ends=_number(ends) if whole else 0,
    )  # fmt: skip
    known = {month.at: month.energy_wh for month in used}
    if last not in whole:
        reason = "no full month of readings yet"
        found.withheld |= {"own_past": reason, "class_comparison": reason}
        return
    now_wh = known.get(_number(last), 0)
    found.own_past = [
        OwnPast(_number(last), _number(month), Change(now_wh, known.get(_number(month), 0)))
        for month in whole
        if month != last
    ]
    if not found.own_past:
        found.withheld["own_past"] = "one full month of readings only"
    middle = await insights.middle_of_class(
        conn,
        account_id,
        subject,
        month=_number(last),
        span=(_begin(last, zone), _begin(ends, zone)),
    )
    if middle.accounts < LEAST_OTHERS:
        found.withheld["class_comparison"] = _NO_CLASS
    else:
        found.class_comparison = ClassComparison(_number(last), now_wh, middle)


def _add_days_left(found: Insights, balance_micro: int, now: datetime, zone: ZoneInfo) -> None:
    if len(found.days) < forecast.DAYS_NEEDED:
        found.withheld["days_left"] = _NO_WEEK
        return
    costs = [day.amount_micro for day in found.days]
    profile = forecast.weekday_profile(costs, found.days[-1].day.weekday())
    today = local_day(int(now.timestamp()), zone)
    begins_s, ends_s = day_start_s(today, zone), day_start_s(today + _DAY, zone)
    gone = (now.timestamp() - begins_s) / (ends_s - begins_s)
    days = forecast.days_left(balance_micro, profile, weekday=today.weekday(), day_gone=gone)
    ends_at = None if days is None else now.astimezone(UTC) + timedelta(days=days)
    at = ends_at.astimezone(zone).replace(microsecond=0) if ends_at else None
    found.days_left = DaysLeft(days, at, len(costs[-forecast.DAYS_USED :]))


def _months_of_interest(last: date) -> list[date]:
    """The newest first."""
    return [last, _month_before(last), last.replace(year=last.year - 1)]


def _was_metered(subject: Subject, month: date, zone: ZoneInfo) -> bool:
    return subject.opened_at <= _begin(month, zone)


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(day_start_s(day, zone), UTC)


def _month_before(first: date) -> date:
    return (first - _DAY).replace(day=1)


def _number(month: date) -> int:
    return month.year * 100 + month.month
