"""Journals: the customer's postings and the system's, summing to zero per currency."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from npms_ledger.domain.errors import UnbalancedJournal
from npms_ledger.domain.position import Entry


class SystemAccount(StrEnum):
    ENERGY_REVENUE = "energy_revenue"
    TAX_PAYABLE = "tax_payable"
    OPENING_DEBT = "opening_debt"
    OPENING_CREDIT = "opening_credit"
    MONEY_FIXES = "money_fixes"
    REFUNDS_PAYABLE = "refunds_payable"
    REFUNDS_PAID = "refunds_paid"
    GRANTS = "grants"


def clearing(source: str) -> str:
    """The account of what a payment source owes us, e.g. `clearing:voucher`."""
    return f"clearing:{source}"


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """One posting to a system account, signed like the customer's: positive is owed by us."""

    ledger_account: str
    currency: str
    amount_micro: int


def balanced(
    currency: str, entries: Iterable[Entry], counterparts: dict[str, int]
) -> list[SystemEntry]:
    """The system's side of a journal in one currency. Raises UnbalancedJournal if it is not."""
    total = sum(entry.amount_micro for entry in entries) + sum(counterparts.values())
    if total:
        raise UnbalancedJournal(currency, total)
    return [SystemEntry(name, currency, amount) for name, amount in counterparts.items() if amount]
