"""One account in hand: every change of its position leaves its postings and tells its events."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from npms_ledger.domain import position as positions
from npms_ledger.domain import waterfall
from npms_ledger.domain.decision import Reason, decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.events import CreditEvent, CreditExhausted, EmergencyAccepted
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import (
    Bucket,
    CutHold,
    Entry,
    Position,
    Posted,
    PostingKind,
)


@dataclass(slots=True)
class Account:
    """`seq` numbers the account's postings without a hole; `written` are those not yet stored.

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

    def charge(self, amount_micro: int, now: datetime) -> tuple[int, int]:
        """Take a charge; returns its (seq, balance after it), which the caller stores."""
        posted = positions.charge(self.position, amount_micro)
        self.position = posted.position
        self.seq += 1
        at = self.seq, self.position.balance_micro
        if amount_micro < 0 or self.position.balance_micro <= self.wake_micro:
            self.judge(now)
        return at

    def top_up(self, amount_micro: int, now: datetime) -> Posted:
        """Run a payment through the waterfall; returns where it went."""
        posted = waterfall.top_up(self.position, policy=self.policy, amount_micro=amount_micro)
        self._write(posted)
        self.judge(now)
        return posted

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

    def open_with_debt(self, debt_micro: int) -> Posted:
        """Take over what was owed elsewhere, before the first decision."""
        posted = positions.open_with_debt(self.position, debt_micro)
        self._write(posted)
        return posted

    def accept_emergency(self, now: datetime) -> None:
        """Raises EmergencyNotOffered, EmergencyTooSmall."""
        self.position = accept(self.position, self.policy)
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

    def _write(self, posted: Posted) -> None:
        self.position = posted.position
        for entry in posted.entries:
            self.seq += 1
            self.written.append((self.seq, entry))


def _is_of_cut(event: CreditEvent) -> bool:
    return isinstance(event, CreditExhausted) and event.keeps_supply_reason is None
