"""What people are told, before it has a language or a channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from npms_notifier.domain import codes


@dataclass(frozen=True, slots=True)
class Money:
    """Millionths of the currency unit, to be shown to a person."""

    amount_micro: int
    currency: str


Value = str | int | Money | datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A template's name and its variables; one that is not urgent waits for the morning.

    Only what is `to_unverified` goes to an address that nobody has confirmed.
    """

    template: str
    values: Mapping[str, Value]
    urgent: bool = True
    to_unverified: bool = False


def contact_code(*, code: str) -> Notice:
    """The one message to an address that nobody has confirmed: it names no person and no account.

    `code` is its mask, but for a moment while it is sent.
    """
    minutes = int(codes.LIFE.total_seconds()) // 60
    return Notice(codes.TEMPLATE, {"code": code, "minutes": minutes}, to_unverified=True)


def low_balance(*, balance: Money, to_avoid_cut: Money) -> Notice:
    return Notice("low_balance", {"balance": balance, "to_avoid_cut": to_avoid_cut}, urgent=False)


def credit_posted(
    *,
    amount: Money,
    to_debt: Money,
    to_emergency: Money,
    to_balance: Money,
    balance: Money,
    debt: Money,
) -> Notice:
    """The receipt: the three parts sum to the amount."""
    return Notice(
        "credit_posted",
        {
            "amount": amount,
            "to_debt": to_debt,
            "to_emergency": to_emergency,
            "to_balance": to_balance,
            "balance": balance,
            "debt": debt,
        },
    )


def emergency_credit_offered(*, limit: Money, balance: Money) -> Notice:
    return Notice("emergency_credit_offered", {"limit": limit, "balance": balance})


def emergency_credit_accepted(*, limit: Money) -> Notice:
    return Notice("emergency_credit_accepted", {"limit": limit})


def credit_exhausted(
    *, to_clear: Money, keeps_supply: bool, keeps_supply_until: datetime | None
) -> Notice:
    """`keeps_supply` also where no end of it is known, as for a protected customer."""
    return Notice(
        "credit_exhausted",
        {
            "to_clear": to_clear,
            "keeps_supply": keeps_supply,
            "keeps_supply_until": keeps_supply_until,
        },
    )


def credit_restored(*, balance: Money) -> Notice:
    return Notice("credit_restored", {"balance": balance})


def protection_expired(*, balance: Money, to_clear: Money) -> Notice:
    """Supply is no longer kept on for protection; `to_clear` is zero while credit carries it."""
    return Notice(
        "protection_expired",
        {"balance": balance, "to_clear": to_clear, "owes": to_clear.amount_micro > 0},
    )


def press_the_button() -> Notice:
    """Supply may come back, once its customer closes it on the meter."""
    return Notice("press_the_button", {})


def reconnection_delayed() -> Notice:
    """Supply is to come back, and its meter cannot be reached at present."""
    return Notice("reconnection_delayed", {})


def charge_corrected(*, amount: Money, begins: datetime, ends: datetime, reason: str) -> Notice:
    """Something charged before was corrected; a negative amount is given back.

    `ends` is the first instant after the time corrected.
    """
    due = Money(abs(amount.amount_micro), amount.currency)
    return Notice(
        "charge_corrected",
        {
            "amount": due,
            "given_back": amount.amount_micro < 0,
            "begins": begins,
            "ends": ends,
            "reason": reason,
        },
        urgent=False,
    )


def ticket_answered(*, subject: str, answer: str) -> Notice:
    return Notice("ticket_answered", {"subject": subject, "answer": answer}, urgent=False)
