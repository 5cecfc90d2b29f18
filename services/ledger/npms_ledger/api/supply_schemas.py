"""Decisions about supplies, keep-ons, held cuts, review tasks and reconnections on REST."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.domain.account import Account
from npms_shared.web.schemas import Line, Money, Schema


class SupplyDecisionResponse(BaseModel):
    """Why a supply was desired so from then on; the amounts are those of that moment."""

    decision_id: int
    installation_id: int
    revision: int
    state: Literal["on", "off"]
    limit_w: int | None
    reason: str = Field(examples=["exhausted"])
    hold_ended: str | None = Field(
        description="what had kept the supply on until then", examples=["friendly_hours"]
    )
    credit_policy: str
    credit_policy_version: int
    balance: Money
    floor: Money
    debt: Money
    emergency_used: Money
    emergency_state: str
    amount_to_clear: Money
    decided_at: datetime
    decided_by: Literal["scheduler", "charge", "payment", "person"]
    subject: str | None = Field(description="the person")
    payment_id: UUID | None
    journal_id: UUID | None = Field(description="the journal whose postings led to it")
    mass_cut_id: UUID | None = Field(description="the held list whose approval let the cut pass")

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> "SupplyDecisionResponse":
        return cls(
            decision_id=row.decision_id,
            installation_id=row.installation_id,
            revision=row.revision,
            state=row.state,
            limit_w=row.limit_w,
            reason=row.reason,
            hold_ended=row.hold_ended,
            credit_policy=row.policy_code,
            credit_policy_version=row.policy_version,
            balance=Money.of(row.balance_micro, currency),
            floor=Money.of(row.floor_micro, currency),
            debt=Money.of(row.debt_micro, currency),
            emergency_used=Money.of(row.emergency_used_micro, currency),
            emergency_state=row.emergency,
            amount_to_clear=Money.of(row.amount_to_clear_micro, currency),
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            subject=row.subject,
            payment_id=row.payment_id,
            journal_id=row.journal_id,
            mass_cut_id=row.mass_cut_id,
        )


class KeepOnEntryResponse(BaseModel):
    keep_on_id: UUID
    until: datetime
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


class MassCutResponse(BaseModel):
    """Cuts that the guardrail held; `on_list` of the `held` accounts are on it still."""

    mass_cut_id: UUID
    state: Literal["waiting", "approved", "rejected", "lapsed"]
    credit_policy: str | None = Field(description="null: all accounts together were too many")
    ground: str = Field(examples=["200 cuts within 60 minutes are more than 10 % of …"])
    held: int
    on_list: int
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    held_until: datetime | None = Field(description="rejected: until when nobody of it is cut")

    @classmethod
    def of(cls, row: Row[Any]) -> "MassCutResponse":
        return cls.model_validate({**row._mapping, "credit_policy": row.policy_code})


class HeldCutResponse(BaseModel):
    """An account that would have been cut: by which policy, at which balance, what avoids it."""

    account_id: int
    credit_policy: str
    credit_policy_version: int
    balance: Money
    floor: Money
    amount_to_clear: Money
    held_at: datetime
    balance_now: Money
    reason_now: str
    left_at: datetime | None
    left_as: str | None = Field(
        description="the reason of its supply when it left the list", examples=["in_credit"]
    )

    @classmethod
    def of(cls, row: Row[Any]) -> "HeldCutResponse":
        return cls(
            account_id=row.account_id,
            credit_policy=row.policy_code,
            credit_policy_version=row.policy_version,
            balance=Money.of(row.balance_micro, row.currency),
            floor=Money.of(row.floor_micro, row.currency),
            amount_to_clear=Money.of(row.amount_to_clear_micro, row.currency),
            held_at=row.held_at,
            balance_now=Money.of(row.balance_now_micro, row.currency),
            reason_now=row.reason,
            left_at=row.left_at,
            left_as=row.left_as,
        )


class FinishTaskRequest(Schema):
    note: Line = Field(examples=["Visited; agreed on instalments"])


class ReviewTaskResponse(BaseModel):
    """A protected customer who would be cut; `owed` is what would clear it."""

    review_task_id: UUID
    account_id: int
    what: str = Field(examples=["would_be_cut_but_is_protected"])
    since: datetime
    owed_then: Money
    owed_now: Money
    balance_now: Money
    protected_until: datetime | None
    done_at: datetime | None
    done_by: str | None
    note: str | None

    @classmethod
    def of(cls, row: Row[Any], account: Account, now: datetime) -> "ReviewTaskResponse":
        position, currency = account.position, account.currency
        return cls(
            review_task_id=row.review_task_id,
            account_id=row.account_id,
            what=row.what,
            since=row.since,
            owed_then=Money.of(row.amount_to_clear_micro, currency),
            owed_now=Money.of(account.amount_to_clear(now), currency),
            balance_now=Money.of(position.balance_micro, currency),
            protected_until=position.protected_until,
            done_at=row.done_at,
            done_by=row.done_by,
            note=row.note,
        )


class ReconnectionResponse(BaseModel):
    """From the payment that ended a cut to the relay read back closed."""

    reconnection_id: UUID
    account_id: int
    installation_id: int
    revision: int
    payment_id: UUID | None
    settled_at: datetime
    heard_at: datetime
    credited_at: datetime
    desired_at: datetime
    verified_at: datetime | None
    superseded_at: datetime | None = Field(description="cut again before it was seen closed")
    took_s: float | None = Field(description="from settled to verified; null while open")
    breached: bool = Field(description="took, or takes, longer than the limit")

    @classmethod
    def of(cls, row: Row[Any]) -> "ReconnectionResponse":
        took = row.verified_at - row.settled_at if row.verified_at else None
        return cls.model_validate(
            {**row._mapping, "took_s": took.total_seconds() if took else None}
        )
