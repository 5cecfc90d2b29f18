"""Fixed charges that the first top-up of each local month pays."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from npms_ledger.domain.periods import month_of


@dataclass(frozen=True, slots=True)
class VendCharge:
    """`amount_micro` a month, with its tax."""

    name: str
    amount_micro: int
    tax_micro: int = 0


@dataclass(frozen=True, slots=True)
class PlanCharges:
    """What a version of a plan that the account is on charges, from a local day on."""

    plan_code: str
    valid_from: date
    charges: tuple[VendCharge, ...]


@dataclass(frozen=True, slots=True)
class VendDue:
    """One charge of one month (yyyymm), and how much of it top-ups have paid so far."""

    month: int
    charge: VendCharge
    taken_micro: int = 0

    @property
    def left_micro(self) -> int:
        return self.charge.amount_micro - self.taken_micro

    def tax_of(self, amount_micro: int) -> int:
        """The tax in the next part that is paid; the parts' taxes sum to the charge's."""
        return self._tax_after(self.taken_micro + amount_micro) - self._tax_after(self.taken_micro)

    def _tax_after(self, taken_micro: int) -> int:
        return self.charge.tax_micro * taken_micro // self.charge.amount_micro


@dataclass(frozen=True, slots=True)
class Vend:
    """What the plans charge, and the months that a top-up has begun.

    `begun` holds all dues of the newest begun month, and older ones that are not paid in full.
    """

    plans: tuple[PlanCharges, ...] = ()
    begun: tuple[VendDue, ...] = field(default=())

    def due(self, day: date) -> tuple[VendDue, ...]:
        """What a top-up on a local day must pay, the oldest first."""
        if not self.plans and not self.begun:
            return ()
        month = month_of(day)
        known = {due.charge.name for due in self.begun if due.month == month}
        fresh = {
            charge.name: VendDue(month, charge)
            for charge in _in_force(self.plans, day)
            if charge.name not in known and charge.amount_micro > 0
        }
        unpaid = [due for due in self.begun if due.left_micro > 0]
        return (*sorted(unpaid, key=lambda due: due.month), *fresh.values())

    def paid(self, dues: Iterable[VendDue]) -> "Vend":
        """With dues as a top-up has left them."""
        kept = {(due.month, due.charge.name): due for due in self.begun}
        kept.update({(due.month, due.charge.name): due for due in dues})
        return replace(self, begun=tuple(kept.values()))


NO_VEND = Vend()


def _in_force(plans: tuple[PlanCharges, ...], day: date) -> list[VendCharge]:
    newest: dict[str, PlanCharges] = {}
    for plan in sorted(plans, key=lambda plan: plan.valid_from):
        if plan.valid_from <= day:
            newest[plan.plan_code] = plan
    return [charge for plan in newest.values() for charge in plan.charges]
