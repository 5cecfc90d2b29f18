"""One account in hand: every change of its position leaves its postings and tells its events."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from npms_ledger.domain import grants, waterfall
from npms_ledger.domain import position as positions
from npms_ledger.domain.debt import Debt, DebtTerms
from npms_ledger.domain.decision import Reason, decide
from npms_ledger.domain.due import catch_up
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.events import CreditEvent, CreditExhausted, EmergencyAccepted
from npms_ledger.domain.grant import ChargeKind, GrantTerms
from npms_ledger.domain.journal import SystemAccount
from npms_ledger.domain.periods import following, local_day
from npms_ledger.domain.policy import CreditPolicy, in_force
from npms_ledger.domain.position import (
    Bucket,
    CutHold,
    Entry,
    Move,
    Position,
    Posted,
    PostingKind,
    post_moves,
)


@dataclass(slots=True)
class Account:
    """`seq` numbers the account's postings without a hole; `written` are those not yet stored, and
    `counterparts` the system's side of them.

    `taken` is the position as it was stored, `reason_was` the reason then; `uncut` the position
    before the decision that cut; `mass_cut_id` the list that its cut is on.
    """

    account_id: int
    currency: str
    zone: ZoneInfo
    policy: CreditPolicy
    position: Position
    seq: int = 0
    reason: Reason = Reason.NO_CREDIT
    wake_micro: int = -positions.UNREACHABLE_MICRO
    decide_at: datetime | None = None
    policy_code: str = ""
    policy_version: int = 0
    taken: Position | None = None
    reason_was: Reason | None = None
    uncut: Position | None = None
    mass_cut_id: UUID | None = None
    written: list[tuple[int, Entry]] = field(default_factory=list)
    events: list[CreditEvent] = field(default_factory=list)
    counterparts: dict[str, int] = field(default_factory=dict)

    def policy_at(self, now: datetime) -> CreditPolicy:
        """The policy with what holds only for a while after the opening."""
        return in_force(self.policy, opened_at=self.position.opened_at, now=now)[0]

    def day_of(self, now: datetime) -> date:
        return local_day(now, self.zone)

    def amount_to_clear(self, now: datetime) -> int:
        """The smallest top-up that brings supply back at `now`; 0 where credit carries it."""
        return waterfall.amount_to_clear(self.position, self.policy_at(now), self.day_of(now))

    def charge(self, amount_micro: int, now: datetime) -> tuple[int, int]:
        """Take a charge; returns its (seq, balance after it), which the caller stores.

        What it may draw on grants comes back at once, by postings of its own.
        """
        if self.position.grants:
            self._catch_up(now)
        posted = positions.charge(self.position, amount_micro)
        self.position = posted.position
        self.seq += 1
        at = self.seq, self.position.balance_micro
        if self.position.grants:
            self._draw(amount_micro, now)
        if amount_micro < 0 or self.position.balance_micro <= self.wake_micro:
            self.judge(now)
        return at

    def top_up(self, amount_micro: int, now: datetime) -> Posted:
        """Run a payment through the waterfall; returns where it went."""
        posted = self.would_top_up(amount_micro, now)
        self._write(posted)
        self.judge(now)
        return posted

    def would_top_up(self, amount_micro: int, now: datetime) -> Posted:
        """Where a payment would go now."""
        return waterfall.top_up(
            self.position,
            policy=self.policy_at(now),
            amount_micro=amount_micro,
            day=self.day_of(now),
        )

    def reverse(self, amount_micro: int, now: datetime) -> Posted:
        """Take a payment back."""
        posted = waterfall.reverse(self.position, amount_micro)
        self._write(posted)
        self.judge(now)
        return posted

    def adjust(self, kind: PostingKind, amount_micro: int, now: datetime) -> int | None:
        """Take from the balance what was charged wrongly or not at all; give back if negative.

        Returns the seq of its posting; None for nothing, which leaves none.
        """
        posted = positions.post(self.position, kind, {Bucket.BALANCE: -amount_micro})
        self._write(posted)
        seq = self.seq if posted.entries else None
        self.judge(now)
        return seq

    def move(self, posted: Posted, now: datetime) -> None:
        """Keep what was made of the position, and decide what it means."""
        self._write(posted)
        self.judge(now)

    def open_with(self, *, debt_micro: int = 0, credit_micro: int = 0) -> None:
        """Take over what was owed or paid elsewhere, before the first decision."""
        self._write(positions.open_with_debt(self.position, debt_micro))
        self._counter(SystemAccount.OPENING_DEBT, debt_micro)
        self._write(positions.open_with_credit(self.position, credit_micro))
        self._counter(SystemAccount.OPENING_CREDIT, -credit_micro)

    def add_debt(self, terms: DebtTerms, *, number: int, amount_micro: int, now: datetime) -> None:
        """Take over one debt with terms of its own; decided by the caller."""
        debt = self._timed(Debt(number, 0, terms), now)
        position = replace(self.position, debts=(*self.position.debts, debt))
        move = Move(Bucket.DEBT, -amount_micro, number, terms.label)
        self._write(post_moves(position, PostingKind.OPENING, [move]))
        self._counter(SystemAccount.OPENING_DEBT, amount_micro)

    def change_debt(self, number: int, terms: DebtTerms, now: datetime) -> None:
        """Other terms for an open debt; one by time is next recovered a period from now."""
        debts = tuple(
            self._timed(replace(debt, terms=terms), now) if debt.number == number else debt
            for debt in self.position.debts
        )
        self.position = replace(self.position, debts=debts)
        self.judge(now)

    def grant(
        self, terms: GrantTerms, *, number: int, ends_at: datetime | None, now: datetime
    ) -> None:
        given = grants.give(
            self.position, terms, number=number, ends_at=ends_at, now=now, zone=self.zone
        )
        self._write(given)
        self.judge(now)

    def end_grant(self, number: int, now: datetime) -> None:
        """What is left of a grant expires now; one that is no more stays as it is."""
        self._catch_up(now)
        for grant in self.position.grants:
            if grant.number == number and not grant.ended:
                self._write(grants.end(self.position, grant))
        self.judge(now)

    def accept_emergency(self, now: datetime) -> None:
        """Raises EmergencyNotOffered, EmergencyTooSmall."""
        self.position = accept(self.position, self.policy_at(now))
        terms = self.policy.emergency
        assert terms is not None
        self.events.append(EmergencyAccepted(terms.limit_micro, self.position.balance_micro))
        self.judge(now)

    def protect(self, *, protected: bool, now: datetime, until: datetime | None = None) -> None:
        """Never cut, until `until` or for good; or no longer never."""
        self.position = replace(
            self.position, protected=protected, protected_until=until if protected else None
        )
        self.judge(now)

    def keep_on(self, until: datetime | None, now: datetime) -> None:
        """Keep the supply on until then, whatever the credit; None takes that back."""
        self.position = replace(self.position, keep_on_until=until)
        self.judge(now)

    def hold_cut(self, now: datetime) -> None:
        """Keep on what was just cut until a person has looked; the cut is not told."""
        assert self.uncut is not None
        self.position = replace(
            self.position,
            supply_on=True,
            told=self.uncut.told,
            limit_w=self.uncut.limit_w,
            limit_until=self.uncut.limit_until,
            cut_hold=CutHold.WAITING,
        )
        self.events = [event for event in self.events if not _is_of_cut(event)]
        self.judge(now)

    @property
    def hold_was(self) -> CutHold:
        return self.taken.cut_hold if self.taken is not None else CutHold.NONE

    @property
    def is_cut(self) -> bool:
        """Whether the supply was on and is to go off for want of credit."""
        return (
            self.taken is not None
            and self.taken.supply_on
            and not self.position.supply_on
            and self.reason is not Reason.ACCOUNT_CLOSED
        )

    @property
    def supply_changes(self) -> bool:
        """Whether another state of supply is desired than was."""
        return self.taken is not None and (
            (self.position.supply_on, self.position.limit_w)
            != (self.taken.supply_on, self.taken.limit_w)
        )

    def close(self, now: datetime) -> None:
        """Switch off for good; what is left of grants expires."""
        self._write(grants.end_all(self.position))
        self.position = replace(self.position, closed=True)
        self.judge(now)

    def judge(self, now: datetime) -> None:
        """Decide what the position means, and lend where that says so."""
        decision = decide(self.position, policy=self.policy, zone=self.zone, now=now)
        if self.position.supply_on and not decision.position.supply_on:
            self.uncut = self.position
        self._write(Posted(decision.position, decision.entries))
        self.reason, self.wake_micro = decision.reason, decision.wake_micro
        self.decide_at = decision.decide_at
        self.events += decision.events

    def _timed(self, debt: Debt, now: datetime) -> Debt:
        rate = debt.terms.rate
        next_at = None if rate is None else following(rate.period, now, self.zone)
        return replace(debt, next_at=next_at)

    def _catch_up(self, now: datetime) -> None:
        policy = self.policy_at(now)
        self._write(catch_up(self.position, policy=policy, zone=self.zone, now=now))

    def _draw(self, amount_micro: int, now: datetime) -> None:
        drawn = grants.draw(
            self.position,
            amount_micro=amount_micro,
            kind=ChargeKind.CONSUMPTION,
            floor_micro=self.policy_at(now).floor_micro,
        )
        self._write(drawn)

    def _write(self, posted: Posted) -> None:
        self.position = posted.position
        for entry in posted.entries:
            self.seq += 1
            self.written.append((self.seq, entry))
            self._counter_entry(entry)

    def _counter_entry(self, entry: Entry) -> None:
        """The system's side of what has only one."""
        if entry.kind in (PostingKind.GRANTED, PostingKind.GRANT_EXPIRED):
            self._counter(SystemAccount.GRANTS, -entry.amount_micro)
        elif entry.kind is PostingKind.VEND_CHARGE:
            self._counter(SystemAccount.ENERGY_REVENUE, -entry.amount_micro - entry.tax_micro)
            self._counter(SystemAccount.TAX_PAYABLE, entry.tax_micro)

    def _counter(self, name: SystemAccount, amount_micro: int) -> None:
        if amount_micro:
            self.counterparts[name.value] = self.counterparts.get(name.value, 0) + amount_micro


def _is_of_cut(event: CreditEvent) -> bool:
    return isinstance(event, CreditExhausted) and event.keeps_supply_reason is None
