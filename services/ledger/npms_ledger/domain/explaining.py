"""How an amount came about: which price it follows from, in which parts it was shared, in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from npms_ledger.domain.policy import Step
from npms_ledger.domain.position import Bucket, PostingKind

UNITS_A_PRICE = 1000
"""A price is one of a thousand base units: of a kWh, or of a cubic metre."""

LineKey = tuple[str, str, int]
"""(component, period, block)"""


def price_that_follows(energy_wh: int, amount_micro: int, *, roundings: int = 1) -> int | None:
    """The price in micro-units per kWh, where only one gives this amount for this energy.

    The amount is the difference of two costs, each rounded down to a micro-unit; `roundings` is how
    many such differences were added up. None where several prices would round to it, or no energy.
    """
    if energy_wh <= 0:
        return None
    low = (amount_micro - roundings) * UNITS_A_PRICE // energy_wh + 1
    high = -((amount_micro + roundings) * UNITS_A_PRICE // -energy_wh) - 1
    return low if low == high else None


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part of a top-up went: `what` is a step of the policy's waterfall, `after_micro` what
    its bucket held then, positive in the customer's favour, `tax_micro` what of the part is tax.
    """

    what: str
    label: str
    item: int | None
    amount_micro: int
    after_micro: int
    tax_micro: int


@dataclass(frozen=True, slots=True)
class Paid:
    """A posting of the journal of a top-up."""

    bucket: str
    kind: str
    amount_micro: int
    after_micro: int
    item: int | None
    label: str
    tax_micro: int


_WHAT = {
    Bucket.DEBT.value: Step.PAYMENT_DEBT.value,
    Bucket.EMERGENCY.value: Step.EMERGENCY_CREDIT.value,
    Bucket.BALANCE.value: Step.BALANCE.value,
}


def parts_of(postings: Iterable[Paid]) -> list[Part]:
    """The steps of the waterfall in their order; they sum to the payment.

    A charge that a top-up pays is posted twice, in and out: it makes one part.
    """
    parts: list[Part] = []
    for paid in postings:
        if paid.kind == PostingKind.TOP_UP:
            what = paid.label if paid.bucket == Bucket.BALANCE and paid.label else ""
            parts.append(_part(paid, what or _WHAT.get(paid.bucket, paid.bucket)))
        elif paid.kind == PostingKind.VEND_CHARGE:
            parts[-1] = _part(paid, Step.VEND_CHARGES.value, sign=-1)
    return parts


def _part(paid: Paid, what: str, *, sign: int = 1) -> Part:
    label = "" if what == paid.label else paid.label
    return Part(what, label, paid.item, sign * paid.amount_micro, paid.after_micro, paid.tax_micro)


BECAUSE = {
    "in_credit": "the balance was above the floor",
    "emergency_credit": "emergency credit was in use",
    "protected": "the customer is protected",
    "friendly_hours": "nobody is cut in friendly hours",
    "holiday": "nobody is cut on a holiday",
    "kept_on": "a person keeps it on",
    "load_limited": "the load is limited before a cut",
    "guardrail": "the guardrail holds mass cuts until a person has looked",
    "exhausted": "the credit had run out",
    "no_credit": "nothing had been paid yet",
    "account_closed": "the account was closed",
}
DECIDED_BY = {
    "scheduler": "the passing of time",
    "charge": "a charge",
    "payment": "a payment",
    "person": "a person",
}


def supply_sentence(
    state: str, reason: str, *, decided_by: str, subject: str | None, hold_ended: str | None
) -> str:
    """Why a supply was switched, in one sentence."""
    by = DECIDED_BY.get(decided_by, decided_by) + (f" ({subject})" if subject else "")
    held = f" and {hold_ended.replace('_', ' ')} ended" if hold_ended and state == "off" else ""
    because = BECAUSE.get(reason, reason.replace("_", " "))
    return f"Supply was switched {state} because {because}{held}; what led to it was {by}."
