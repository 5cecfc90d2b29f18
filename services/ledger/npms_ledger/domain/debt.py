"""One debt: what is left of it, and by which terms it is recovered."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from npms_ledger.domain.errors import TermsError
from npms_ledger.domain.periods import PerPeriod, beginning

PPM = 1_000_000
GENERAL = 0
"""The number of the debt that nobody gave terms: an opening debt, a payment taken back."""


class DebtKind(StrEnum):
    """`payment`: recovered from top-ups; `time`: a fixed amount a day, week or month."""

    PAYMENT = "payment"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class DebtTerms:
    """How a debt is recovered; the lowest `priority` first.

    Of kind payment: `share_ppm` millionths of what a top-up has left at its turn (None: the
    policy's share), at least `minimum_micro`, at most `cap` a period. Of kind time: `rate`.
    Nothing is taken while emergency credit is used or the supply is off, where the flags say so.

    Raises TermsError where the parts contradict each other.
    """

    label: str = ""
    kind: DebtKind = DebtKind.PAYMENT
    priority: int = 100
    share_ppm: int | None = None
    minimum_micro: int = 0
    cap: PerPeriod | None = None
    rate: PerPeriod | None = None
    suspend_in_emergency: bool = False
    suspend_when_off: bool = False

    def __post_init__(self) -> None:
        is_timed = self.kind is DebtKind.TIME
        if is_timed != (self.rate is not None):
            raise TermsError("needs_rate" if is_timed else "rate_of_payment_debt", "rate")
        if is_timed and (self.share_ppm is not None or self.minimum_micro or self.cap):
            raise TermsError("share_of_time_debt", "share_ppm")
        if self.share_ppm is not None and not 0 <= self.share_ppm <= PPM:
            raise TermsError("out_of_range", "share_ppm")
        if self.minimum_micro < 0:
            raise TermsError("negative", "minimum")
        for name, limit in (("cap", self.cap), ("rate", self.rate)):
            if limit is not None and limit.amount_micro <= 0:
                raise TermsError("not_positive", name)


DEFAULT_TERMS = DebtTerms()


@dataclass(frozen=True, slots=True)
class Debt:
    """`taken_micro` was recovered in the cap's period that began on `taken_since`; a debt of kind
    time is next recovered at `next_at`.
    """

    number: int
    remaining_micro: int
    terms: DebtTerms = DEFAULT_TERMS
    taken_micro: int = 0
    taken_since: date | None = None
    next_at: datetime | None = None

    def collectable_micro(self, day: date) -> int:
        """The most that one top-up on a local day may recover."""
        cap = self.terms.cap
        if cap is None:
            return self.remaining_micro
        return min(self.remaining_micro, cap_left(cap, self.taken_micro, self.taken_since, day))

    def took(self, amount_micro: int, day: date) -> "Debt":
        """Counted against the cap; what remains is changed by the posting."""
        cap = self.terms.cap
        if cap is None:
            return self
        taken, since = count(cap, self.taken_micro, self.taken_since, day)
        return replace(self, taken_micro=taken + amount_micro, taken_since=since)


def count(cap: PerPeriod, taken_micro: int, since: date | None, day: date) -> tuple[int, date]:
    """(what was taken in the day's period, that period's first day)."""
    begins = beginning(cap.period, day)
    return (taken_micro if since == begins else 0), begins


def cap_left(cap: PerPeriod, taken_micro: int, since: date | None, day: date) -> int:
    """What the cap still lets through in the day's period."""
    return max(0, cap.amount_micro - count(cap, taken_micro, since, day)[0])


def total_micro(debts: tuple[Debt, ...]) -> int:
    return sum(debt.remaining_micro for debt in debts)


def changed(debts: tuple[Debt, ...], number: int, by_micro: int) -> tuple[Debt, ...]:
    """The debts with one of them larger by an amount; the general one appears when it is needed."""
    if all(debt.number != number for debt in debts):
        assert number == GENERAL, "an unknown debt"
        return (*debts, Debt(GENERAL, by_micro))
    return tuple(
        replace(debt, remaining_micro=debt.remaining_micro + by_micro)
        if debt.number == number
        else debt
        for debt in debts
    )


def by_priority(debts: tuple[Debt, ...], kind: DebtKind) -> list[Debt]:
    """The open debts of a kind in the order of their recovery."""
    found = [debt for debt in debts if debt.remaining_micro and debt.terms.kind is kind]
    return sorted(found, key=lambda debt: (debt.terms.priority, debt.number))
