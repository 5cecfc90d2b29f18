"""What an account used and what it cost, by hour, day or month of its local time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.domain.calendar import HOUR_S, day_start_s, local_day
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
    """[begins, ends) in the account's local time."""

    begins: datetime
    ends: datetime
    commodity: str
    currency: str
    energy_wh: int
    amount_micro: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    account_id: int
    time_zone: str
    resolution: Resolution
    items: Sequence[UsageItem]


async def report_usage(
    conn: AsyncConnection,
    account_id: int,
    *,
    principal: Principal,
    resolution: Resolution,
    span: tuple[datetime, datetime],
) -> UsageReport:
    """Hours that begin in [from, to), with the open one.

    Raises UnknownAccount, RangeRefused.
    """
    begin, end = span
    if begin >= end:
        raise RangeRefused("empty_range", "`to` must be after `from`")
    if end - begin > LONGEST[resolution]:
        longest = LONGEST[resolution].days
        raise RangeRefused("range_too_long", f"by {resolution} at most {longest} days")
    holder = await installations.find_holder(conn, account_id)
    if holder is None or not principal.may_see(holder.customer_id):
        raise UnknownAccount
    used = await usage.read_usage(
        conn,
        account_id,
        resolution=resolution,
        from_s=int(begin.timestamp()),
        to_s=int(end.timestamp()),
    )
    zone = ZoneInfo(holder.time_zone)
    items = [_item(one, resolution, zone) for one in used]
    return UsageReport(account_id, holder.time_zone, resolution, items)


def _item(one: Usage, resolution: Resolution, zone: ZoneInfo) -> UsageItem:
    begins_s, ends_s = _bounds(one.begins_s, resolution, zone)
    return UsageItem(
        begins=datetime.fromtimestamp(begins_s, UTC).astimezone(zone),
        ends=datetime.fromtimestamp(ends_s, UTC).astimezone(zone),
        commodity=one.commodity,
        currency=one.currency,
        energy_wh=one.energy_wh,
        amount_micro=one.amount_micro,
    )


def _bounds(at_s: int, resolution: Resolution, zone: ZoneInfo) -> tuple[int, int]:
    """The hour, local day or local month an instant lies in."""
    if resolution == "hour":
        return at_s, at_s + HOUR_S
    first, following = _days(local_day(at_s, zone), resolution)
    return day_start_s(first, zone), day_start_s(following, zone)


def _days(day: date, resolution: Resolution) -> tuple[date, date]:
    if resolution == "day":
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)
