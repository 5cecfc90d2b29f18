"""What an account used and what it cost, by hour, day or month of its local time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.domain.calendar import day_start_s, hour_end_s, local_day
from npms_tariff.domain.records import Resolution, Usage
from npms_tariff.storage import installations, usage

LONGEST = {
    "hour": timedelta(days=31),
    "day": timedelta(days=2 * 366),
    "month": timedelta(days=10 * 366),
}


class UnknownAccount(Exception):
    """There is none, or it is somebody else's."""


class RangeRefused(Exception):
    """`code` says what is wrong with from and to."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class UsageItem:
    """[begins, ends) in the account's local time; where it is `open` more may come."""

    begins: datetime
    ends: datetime
    commodity: str
    currency: str
    energy_wh: int
    amount_micro: int
    open: bool


@dataclass(frozen=True, slots=True)
class UsageReport:
    account_id: int
    time_zone: str
    resolution: Resolution
    items: Sequence[UsageItem]


@dataclass(frozen=True, slots=True)
class UsageRange:
    """A range of somebody's account that may be shown: what begins in [begins, ends), which are
    seconds, or by month yyyymm."""

    account_id: int
    zone: ZoneInfo
    resolution: Resolution
    begins: int
    ends: int


async def find_range(
    conn: AsyncConnection,
    account_id: int,
    *,
    principal: Principal,
    resolution: Resolution,
    span: tuple[datetime, datetime],
    longest: Mapping[str, timedelta] = MappingProxyType(LONGEST),
) -> UsageRange:
    """Raises UnknownAccount, RangeRefused."""
    begin, end = span
    if begin >= end:
        raise RangeRefused("empty_range", "`to` must be after `from`")
    if end - begin > longest[resolution]:
        days = longest[resolution].days
        raise RangeRefused("range_too_long", f"by {resolution} at most {days} days")
    zone = await zone_of(conn, account_id, principal)
    begins, ends = (_counted(int(at.timestamp()), resolution, zone) for at in span)
    return UsageRange(account_id, zone, resolution, begins, ends)


async def zone_of(conn: AsyncConnection, account_id: int, principal: Principal) -> ZoneInfo:
    """Where an account's days are counted. Raises UnknownAccount where it is not to be seen."""
    holder = await installations.find_holder(conn, account_id)
    if holder is None or not principal.may_see(holder.customer_id):
        raise UnknownAccount
    return ZoneInfo(holder.time_zone)


async def report_usage(conn: AsyncConnection, wanted: UsageRange) -> UsageReport:
    """All of it, with what is open."""
    used = await usage.read_usage(
        conn,
        wanted.account_id,
        resolution=wanted.resolution,
        begins=wanted.begins,
        ends=wanted.ends,
    )
    items = [_item(item, wanted.resolution, wanted.zone) for item in used]
    return UsageReport(wanted.account_id, wanted.zone.key, wanted.resolution, items)


def _item(used: Usage, resolution: Resolution, zone: ZoneInfo) -> UsageItem:
    begins_s, ends_s = _bounds(used.at, resolution, zone)
    return UsageItem(
        begins=datetime.fromtimestamp(begins_s, UTC).astimezone(zone),
        ends=datetime.fromtimestamp(ends_s, UTC).astimezone(zone),
        commodity=used.commodity,
        currency=used.currency,
        energy_wh=used.energy_wh,
        amount_micro=used.amount_micro,
        open=used.open,
    )


def _bounds(at: int, resolution: Resolution, zone: ZoneInfo) -> tuple[int, int]:
    """The first second of an hour, day or month, and of what follows it."""
    if resolution == "hour":
        return at, hour_end_s(at, zone)
    if resolution == "day":
        return at, day_start_s(local_day(at, zone) + timedelta(days=1), zone)
    first = date(at // 100, at % 100, 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return day_start_s(first, zone), day_start_s(following, zone)


def _counted(at_s: int, resolution: Resolution, zone: ZoneInfo) -> int:
    """By month, the first month that begins at or after an instant; else the instant."""
    if resolution != "month":
        return at_s
    first = local_day(at_s, zone).replace(day=1)
    if day_start_s(first, zone) < at_s:
        first = (first + timedelta(days=31)).replace(day=1)
    return first.year * 100 + first.month
