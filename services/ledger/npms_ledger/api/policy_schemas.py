"""Credit policies on REST."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Literal, Self, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, Field

from npms_ledger.api.debt_schemas import AmountPerPeriodDocument
from npms_ledger.api.policy_parts import (
    EmergencyDocument,
    FriendlyHoursDocument,
    GraceDocument,
    LoadLimitDocument,
    LowBalanceDocument,
    VendLimitsDocument,
)
from npms_ledger.domain.friendly import KindTimes
from npms_ledger.domain.policy import (
    CreditPolicy,
    Step,
    Threshold,
)
from npms_ledger.handlers.policies import WrittenPolicy
from npms_ledger.handlers.policy_requests import PolicyRequest
from npms_shared.money import format_amount, parse_amount
from npms_shared.web.schemas import Amount, Currency, Schema

Part = TypeVar("Part")
Document = TypeVar("Document")
StepName = Literal["vend_charges", "payment_debt", "accumulated", "emergency_credit", "balance"]


STEPS: tuple[StepName, ...] = get_args(StepName)


class PolicyDocument(Schema):
    """How far an account may go, who is warned when, when nobody is cut."""

    currency: Currency = Field(examples=["KES"])
    floor: Amount = Field(default="0", description="supply ends at this balance")
    low_balance: list[LowBalanceDocument] = Field(default=[], max_length=10)
    emergency: EmergencyDocument | None = None
    debt_share_ppm: int = Field(
        default=0, ge=0, le=1_000_000, description="millionths of each top-up", examples=[250_000]
    )
    friendly_hours: list[FriendlyHoursDocument] = Field(default=[], max_length=50)
    holidays: list[date] = Field(default=[], max_length=1000, examples=[["2026-12-25"]])
    remind_minutes: int = Field(
        default=60, ge=0, le=1440, description="reminder before friendly hours end"
    )
    load_limit: LoadLimitDocument | None = Field(
        default=None, description="limit before the cut, where the meter can"
    )
    waterfall: list[StepName] = Field(
        default=list(STEPS),
        description="where a top-up goes, each step once, balance last; accumulated is what the "
        "balance lacks to the floor",
        examples=[list(STEPS)],
    )
    debt_cap: AmountPerPeriodDocument | None = Field(
        default=None, description="what top-ups recover at most, of all debts together"
    )
    grace: GraceDocument | None = Field(default=None)
    vend: VendLimitsDocument = Field(default=VendLimitsDocument())
    chargeback_grace_hours: int = Field(
        default=24,
        ge=0,
        le=720,
        description="how long supply stays on after a chargeback that leaves no credit",
    )

    def to_policy(self) -> CreditPolicy:
        """Raises PolicyError."""
        return CreditPolicy(
            floor_micro=parse_amount(self.floor),
            thresholds=self._thresholds(),
            emergency=self.emergency.to_terms() if self.emergency else None,
            debt_share_ppm=self.debt_share_ppm,
            kind_times=KindTimes(
                friendly=tuple(hours.to_hours() for hours in self.friendly_hours),
                holidays=frozenset(self.holidays),
            ),
            remind_minutes=self.remind_minutes,
            load_limit=self.load_limit.to_limit() if self.load_limit else None,
            waterfall=tuple(Step(step) for step in self.waterfall),
            debt_cap=self.debt_cap.to_per_period() if self.debt_cap else None,
            grace=self.grace.to_grace() if self.grace else None,
            vend=self.vend.to_limits(),
            chargeback_grace_hours=self.chargeback_grace_hours,
        )

    def _thresholds(self) -> tuple[Threshold, ...]:
        """The highest first, as they are crossed."""
        thresholds = (level.to_threshold() for level in self.low_balance)
        return tuple(sorted(thresholds, key=lambda threshold: -threshold.at_micro))

    @classmethod
    def of_policy(cls, policy: CreditPolicy, currency: str) -> Self:
        return cls(
            currency=currency,
            floor=format_amount(policy.floor_micro),
            low_balance=[LowBalanceDocument.of(level) for level in policy.thresholds],
            emergency=_maybe(EmergencyDocument.of, policy.emergency),
            debt_share_ppm=policy.debt_share_ppm,
            friendly_hours=[
                FriendlyHoursDocument.of(hours) for hours in policy.kind_times.friendly
            ],
            holidays=sorted(policy.kind_times.holidays),
            remind_minutes=policy.remind_minutes,
            load_limit=_maybe(LoadLimitDocument.of, policy.load_limit),
            waterfall=[step.value for step in policy.waterfall],
            debt_cap=_maybe(AmountPerPeriodDocument.of, policy.debt_cap),
            grace=_maybe(GraceDocument.of, policy.grace),
            vend=VendLimitsDocument.of(policy.vend),
            chargeback_grace_hours=policy.chargeback_grace_hours,
        )


class PolicyResponse(PolicyDocument):
    """The version in force."""

    code: str
    version: int
    written_by: str
    written_at: datetime
    approved_by: str | None = Field(description="null: of an account's own, or from before")

    @classmethod
    def of(cls, written: WrittenPolicy) -> Self:
        return cls(
            **dict(PolicyDocument.of_policy(written.policy, written.currency)),
            code=written.code,
            version=written.version,
            written_by=written.written_by,
            written_at=written.written_at,
            approved_by=written.approved_by,
        )


class PolicyRequestResponse(BaseModel):
    """A version that somebody asked for, and what came of it."""

    request_id: UUID
    code: str
    state: Literal["requested", "approved", "rejected"]
    document: PolicyDocument
    replaces_version: int | None = Field(description="in force now; null: the code is new")
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_reason: str | None
    version: int | None = Field(description="once approved, its number")

    @classmethod
    def of(cls, asked: PolicyRequest) -> Self:
        row = asked.row
        return cls.model_validate(
            {
                **row._mapping,
                "document": PolicyDocument.of_policy(asked.policy, row.currency),
                "replaces_version": asked.replaces_version or None,
            }
        )


def _maybe(of: Callable[[Part], Document], part: Part | None) -> Document | None:
    return None if part is None else of(part)
