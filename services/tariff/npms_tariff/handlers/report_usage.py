"""What an account used and what it cost, by hour, day or month of its local time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.domain.calendar import day_start_s, hour_end_s, local_day
from npms_tariff.domain.records import Resolution, Usage
from npms_tariff.handlers.errors import Refused
from npms_tariff.storage import installations, usage

LONGEST = {
    "hour": timedelta(days=31),
    "day": timedelta(days=2 * 366),
    "month": timedelta(days=10 * 366),
}


class UnknownAccount(Exception):
    """There is none, or it is somebody else's."""


class RangeRefused(Refused):
    """`from` and `to` do not fit."""


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
class UsageQuery:
    """What begins in [begin, end) of an account; `longest` is how far apart they may be."""

    account_id: int
    resolution: Resolution
    begin: datetime
    end: datetime
    longest: Mapping[str, timedelta] = field(default_factory=lambda: LONGEST)


async def report_usage(
    conn: AsyncConnection, query: UsageQuery, *, principal: Principal
) -> UsageReport:
    """All of it, with what is open. Raises UnknownAccount, RangeRefused."""
    resolution = query.resolution
    if query.begin >= query.end:
        raise RangeRefused("empty_range", "`to` must be after `from`")
    longest = query.longest[resolution]
    if query.end - query.begin > longest:
        raise RangeRefused("range_too_long", f"by {resolution} at most {longest.days} days")
    zone = await zone_of(conn, query.account_id, principal)
    used = await usage.read_usage(
        conn,
        query.account_id,
        resolution=resolution,
        begins=_counted(int(query.begin.timestamp()), resolution, zone),
        ends=_counted(int(query.end.timestamp()), resolution, zone),
    )
    items = [_item(item, resolution, zone) for item in used]
    return UsageReport(query.account_id, zone.key, resolution, items)


async def zone_of(conn: AsyncConnection, account_id: int, principal: Principal) -> ZoneInfo:
    """Where an account's days are counted. Raises UnknownAccount where it is not to be seen."""
    holder = await installations.find_holder(conn, account_id)
    if holder is None or not principal.may_see(holder.customer_id):
        raise UnknownAccount
    return ZoneInfo(holder.time_zone)


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
