"""Notices as they may come, so that every template is tried before anybody needs it."""

from datetime import UTC, datetime

from npms_notifier.domain import codes, notices
from npms_notifier.domain.notices import Money, Notice


def _kes(units: str) -> Money:
    whole, _, decimals = units.partition(".")
    return Money(int(whole + decimals.ljust(6, "0")), "KES")


SAMPLES: tuple[Notice, ...] = (
    notices.low_balance(balance=_kes("1234.567"), to_avoid_cut=_kes("12345.672345")),
    notices.credit_posted(
        amount=_kes("10000"),
        to_debt=_kes("2500"),
        to_emergency=_kes("1500.25"),
        to_balance=_kes("5999.75"),
        balance=_kes("15999.75"),
        debt=_kes("12500"),
    ),
    notices.credit_posted(
        amount=_kes("500"),
        to_debt=_kes("0"),
        to_emergency=_kes("0"),
        to_balance=_kes("500"),
        balance=_kes("612.5"),
        debt=_kes("0"),
    ),
    notices.emergency_credit_offered(limit=_kes("1000"), balance=_kes("12.5")),
    notices.emergency_credit_accepted(limit=_kes("1000")),
    notices.credit_exhausted(
        to_clear=_kes("11000.01"), keeps_supply=False, keeps_supply_until=None
    ),
    notices.credit_exhausted(to_clear=_kes("11000.01"), keeps_supply=True, keeps_supply_until=None),
    notices.credit_exhausted(
        to_clear=_kes("11000.01"),
        keeps_supply=True,
        keeps_supply_until=datetime(2026, 11, 25, 5, tzinfo=UTC),
    ),
    notices.credit_restored(balance=_kes("10999.99")),
    notices.protection_expired(balance=_kes("-1234.5"), to_clear=_kes("11234.51")),
    notices.protection_expired(balance=_kes("1234.5"), to_clear=_kes("0")),
    notices.press_the_button(),
    notices.reconnection_delayed(),
    notices.charge_corrected(
        amount=_kes("1234.56"),
        begins=datetime(2026, 10, 1, tzinfo=UTC),
        ends=datetime(2026, 11, 1, tzinfo=UTC),
        reason="The price of October was set too low; the regulator's decision of 12 October holds",
    ),
    notices.charge_corrected(
        amount=Money(-98_765_432_100, "KES"),
        begins=datetime(2026, 10, 3, 6, tzinfo=UTC),
        ends=datetime(2026, 10, 3, 9, tzinfo=UTC),
        reason="The clock of your meter was wrong",
    ),
    notices.ticket_answered(
        subject="Why was I charged twice in October?",
        answer="The second entry is the daily charge; your statement names it on each day.",
    ),
    notices.contact_code(code=codes.MASK),
)
