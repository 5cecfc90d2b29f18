"""A month of an account: day by day what was used, charged, paid and otherwise posted.

Days are local days of posting, so that the statement's opening and closing balances are those of
the books; by when energy was used, the tariff service tells it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from npms_ledger.domain.explaining import LineKey, Paid, Part, parts_of
from npms_ledger.domain.position import Bucket, PostingKind

OF_TOP_UP = frozenset({PostingKind.TOP_UP.value, PostingKind.VEND_CHARGE.value})
Line = tuple[str, str, int, int, int]
"""(component, period, block, energy_wh, amount_micro)"""
Sums = dict[LineKey, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Booked:
    """A posting; amounts are positive in the customer's favour, but for those of `lines`."""

    seq: int
    at: datetime
    paid: Paid
    energy_wh: int = 0
    lines: Sequence[Line] = ()
    payment_id: UUID | None = None
    source: str = ""
    reference: str = ""
    reason: str = ""


@dataclass(slots=True)
class TopUp:
    payment_id: UUID | None
    at: datetime
    source: str
    reference: str
    postings: list[Booked]

    @property
    def parts(self) -> list[Part]:
        return parts_of(posting.paid for posting in self.postings)

    @property
    def amount_micro(self) -> int:
        return sum(part.amount_micro for part in self.parts)


@dataclass(slots=True)
class Day:
    """`lines` are what charges were for, summed; `others` are postings that are neither charges nor
    of top-ups; `balance_micro` is the balance at its end.
    """

    day: date
    balance_micro: int
    energy_wh: int = 0
    charged_micro: int = 0
    lines: Sums = field(default_factory=dict)
    top_ups: list[TopUp] = field(default_factory=list)
    others: list[Booked] = field(default_factory=list)

    def add(self, booked: Booked) -> None:
        paid = booked.paid
        if paid.bucket == Bucket.BALANCE:
            self.balance_micro = paid.after_micro
        if paid.kind == PostingKind.CHARGE:
            self.energy_wh += booked.energy_wh
            self.charged_micro -= paid.amount_micro
            add_lines(self.lines, booked.lines)
        elif paid.kind in OF_TOP_UP:
            self._add_to_top_up(booked)
        else:
            self.others.append(booked)

    def _add_to_top_up(self, booked: Booked) -> None:
        last = self.top_ups[-1] if self.top_ups else None
        if last is None or last.payment_id != booked.payment_id:
            last = TopUp(booked.payment_id, booked.at, booked.source, booked.reference, [])
            self.top_ups.append(last)
        last.postings.append(booked)


def add_lines(sums: Sums, lines: Iterable[Line]) -> None:
    for component, period, block, energy_wh, amount_micro in lines:
        key = (component, period, block)
        was_wh, was_micro = sums.get(key, (0, 0))
        sums[key] = was_wh + energy_wh, was_micro + amount_micro


def by_day(postings: Iterable[Booked], *, opening_micro: int, zone: ZoneInfo) -> list[Day]:
    """The days on which something was posted, in the order of the postings."""
    days: list[Day] = []
    balance_micro = opening_micro
    for booked in postings:
        local = booked.at.astimezone(zone).date()
        if not days or local > days[-1].day:
            days.append(Day(local, balance_micro))
        days[-1].add(booked)
        balance_micro = days[-1].balance_micro
    return days


def summed(days: Iterable[Day]) -> Sums:
    """What all charges were for, in the order of their names."""
    sums: Sums = {}
    for day in days:
        add_lines(sums, [(*key, *amounts) for key, amounts in day.lines.items()])
    return dict(sorted(sums.items(), key=lambda item: (_rank(item[0][0]), item[0])))


GROUPS = ("energy", "fixed", "demand", "levy", "discount", "minimum", "tax")


def group_of(component: str) -> str:
    """`tax:vat` is a tax: the word before the colon."""
    return component.partition(":")[0]


def _rank(component: str) -> int:
    group = group_of(component)
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)
