"""Supplies on REST: as desired and as seen, the decisions about them, who keeps them on."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_shared.web.schemas import (
    Instant,
    Line,
    Money,
    Schema,
)


class KeepOnResponse(BaseModel):
    """A person keeps the supply on until then, whatever the credit."""

    until: datetime
    reason: str
    placed_by: str
    placed_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls.model_validate(row, from_attributes=True)


class KeepOnRequest(Schema):
    """Why, and until when, a supply is kept on whatever the credit."""

    until: Instant = Field(examples=["2026-12-01T08:00:00Z"])
    reason: Line = Field(examples=["Oxygen at home until Tuesday; the bill is being looked into"])


class KeepOnRecordResponse(BaseModel):
    keep_on_id: UUID
    until: datetime
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls.model_validate(row, from_attributes=True)


class DesiredSupplyResponse(BaseModel):
    state: Literal["on", "off"]
    limit_w: int | None = Field(description="the most power it may draw; null is no limit")
    revision: int
    reason: str
    decided_at: datetime


class ReportedSupplyResponse(BaseModel):
    state: Literal["on", "off", "unknown"]
    limit_w: int | None
    desired_revision: int | None
    verified: bool
    observed_at: datetime
    detail: str
    awaits: Literal["", "customer", "power", "link"] = Field(
        description="what is still to come: a press on the meter's button, power that proves the "
        "relay closed, or a link to the meter"
    )
    blocked_by: str = Field(
        description="why it is not switched at all, empty where it is: suspect (another meter "
        "answers than the one installed), moved (by hand), "
        "stopped (the gateway opens no more), pushed (it sends its readings and is not reached), "
        "no_relay"
    )


class SupplyResponse(BaseModel):
    installation_id: int
    desired: DesiredSupplyResponse
    reported: ReportedSupplyResponse | None
    keep_on: KeepOnResponse | None

    @classmethod
    def of(cls, row: Row[Any], keep_on: Row[Any] | None) -> Self:
        reported = None
        if row.reported_state is not None:
            reported = ReportedSupplyResponse(
                state=row.reported_state,
                limit_w=row.reported_limit_w,
                desired_revision=row.reported_revision,
                verified=row.verified,
                observed_at=row.observed_at,
                detail=row.detail,
                awaits=row.awaits,
                blocked_by=row.blocked_by,
            )
        desired = DesiredSupplyResponse(
            state=row.state,
            limit_w=row.limit_w,
            revision=row.revision,
            reason=row.reason,
            decided_at=row.decided_at,
        )
        return cls(
            installation_id=row.installation_id,
            desired=desired,
            reported=reported,
            keep_on=None if keep_on is None else KeepOnResponse.of(keep_on),
        )


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
    def of(cls, row: Row[Any], currency: str) -> Self:
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
