"""One granted credit: an amount of its own beside the balance, or a time that keeps supply on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from npms_ledger.domain.errors import TermsError

BALANCE_PRIORITY = 10
"""A grant of a lower number is used before the balance, the others when the balance is at its
floor; emergency credit comes last."""
EMERGENCY_PRIORITY = 1000


class GrantKind(StrEnum):
    AMOUNT = "amount"
    TIME = "time"


class ChargeKind(StrEnum):
    """What may draw on a grant: energy with all that is rated with it, or the recovery of debt."""

    CONSUMPTION = "consumption"
    DEBT = "debt"


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """`amount_micro` once, or with `monthly` at the beginning of each local month, when of what
    is left up to `rollover_max_micro` stays. Of kind time it has no amount and an end.

    Raises TermsError where the parts contradict each other.
    """

    label: str
    kind: GrantKind = GrantKind.AMOUNT
    priority: int = 5
    amount_micro: int = 0
    draws_on: frozenset[ChargeKind] = frozenset({ChargeKind.CONSUMPTION})
    monthly: bool = False
    rollover_max_micro: int = 0

    def __post_init__(self) -> None:
        is_time = self.kind is GrantKind.TIME
        if is_time != (self.amount_micro == 0) or self.amount_micro < 0:
            raise TermsError("amount_of_time_credit" if is_time else "not_positive", "amount")
        if is_time and self.monthly:
            raise TermsError("monthly_time_credit", "monthly")
        if not self.draws_on:
            raise TermsError("nothing_draws", "draws_on")
        if not 1 <= self.priority < EMERGENCY_PRIORITY:
            raise TermsError("out_of_range", "priority")
        if self.rollover_max_micro < 0 or (self.rollover_max_micro and not self.monthly):
            raise TermsError("rollover_without_period", "rollover_max")


@dataclass(frozen=True, slots=True)
class Grant:
    """`ends_at` is when all that is left expires, `renews_at` when the next month's is granted."""

    number: int
    terms: GrantTerms
    remaining_micro: int = 0
    ends_at: datetime | None = None
    renews_at: datetime | None = None
    ended: bool = False

    def carries(self) -> bool:
        """Whether it alone keeps supply on."""
        if self.ended:
            return False
        return self.terms.kind is GrantKind.TIME or self.draws(ChargeKind.CONSUMPTION)

    def draws(self, kind: ChargeKind) -> bool:
        return self.remaining_micro > 0 and kind in self.terms.draws_on

    def due_at(self) -> datetime | None:
        """When time alone next changes it."""
        if self.ended:
            return None
        waits = self.remaining_micro > 0 or self.terms.kind is GrantKind.TIME or self.renews_at
        times = [at for at in (self.ends_at, self.renews_at) if at is not None]
        return min(times, default=None) if waits else None
