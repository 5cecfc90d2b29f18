"""Money, times and account numbers as people read them."""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision

from npms_notifier.domain.notices import Money

_MONEY = "¤ #,##0.00"
_MOMENT = "EEE d MMM, HH:mm"


def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def show_money(money: Money, language: str) -> str:
    """What somebody has: rounded down, so that it is never less than it says."""
    return _show(money, language, ROUND_FLOOR)


def show_due(money: Money, language: str) -> str:
    """What somebody has to pay: rounded up, so that paying it is enough."""
    return _show(money, language, ROUND_CEILING)


def show_moment(moment: datetime, zone: ZoneInfo, language: str) -> str:
    return format_datetime(moment, _MOMENT, tzinfo=zone, locale=language)


def _show(money: Money, language: str, rounding: str) -> str:
    unit = Decimal(1).scaleb(-get_currency_precision(money.currency))
    exact = Decimal(money.amount_micro).scaleb(-6)
    return format_currency(
        exact.quantize(unit, rounding=rounding), money.currency, format=_MONEY, locale=language
    )
