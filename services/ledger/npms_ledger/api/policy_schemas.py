"""A credit policy on REST: amounts are decimal texts in the policy's one currency."""

from datetime import date, datetime, time
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from npms_ledger.api.debt_schemas import AmountPerPeriodDocument
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.periods import PerPeriod
from npms_ledger.domain.policy import (
    CreditPolicy,
    EmergencyTerms,
    Grace,
    LoadLimit,
    Step,
    Threshold,
    VendLimits,
)
from npms_ledger.handlers.policies import WrittenPolicy
from npms_ledger.handlers.policy_requests import PolicyRequest
from npms_shared.money import format_amount, parse_amount
from npms_shared.web.schemas import Amount, CodedError, Currency, Schema

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _written(given: object) -> object:
    """Else a number would be read as seconds of the day."""
    if not isinstance(given, str | time):
        raise CodedError("not_a_time", "expected hours and minutes, e.g. 18:00")
    return given


def _local(moment: time) -> time:
    if moment.tzinfo is not None:
        raise CodedError("time_with_zone", "the account's zone counts: a time without offset")
    return moment


LocalTime = Annotated[
    time,
    BeforeValidator(_written),
    AfterValidator(_local),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}),
]


class LowBalanceDocument(Schema):
    at: Amount = Field(description="warn when the balance falls to this", examples=["50.00"])
    rearm: Amount = Field(description="warn again after it stood at this", examples=["60.00"])


class EmergencyDocument(Schema):
    limit: Amount = Field(examples=["20.00"])
    offer_at: Amount = Field(examples=["10.00"])
    reoffer_above: Amount = Field(examples=["15.00"])
    needs_acceptance: bool = True

    @classmethod
    def of(cls, terms: EmergencyTerms) -> "EmergencyDocument":
        return cls(
            limit=format_amount(terms.limit_micro),
            offer_at=format_amount(terms.offer_at_micro),
            reoffer_above=format_amount(terms.reoffer_above_micro),
            needs_acceptance=terms.needs_acceptance,
        )


class FriendlyHoursDocument(Schema):
    """Weekly local times at which a supply that is on is kept on; `to` may lie on the next day."""

    days: list[Day] = Field(min_length=1, examples=[["mon", "tue", "wed", "thu", "fri"]])
    start: LocalTime = Field(alias="from", examples=["18:00"])
    end: LocalTime = Field(alias="to", examples=["08:00"])

    @classmethod
    def of(cls, hours: FriendlyHours) -> "FriendlyHoursDocument":
        days = [DAYS[day] for day in sorted(hours.weekdays)]
        return cls.model_validate({"days": days, "from": hours.start, "to": hours.end})


class LoadLimitDocument(Schema):
    """Before the cut: how much power a supply may draw, and how long."""

    power_w: int = Field(gt=0, le=10_000_000, examples=[500])
    for_minutes: int = Field(gt=0, le=100_000, examples=[120])


class GraceDocument(Schema):
    """Another, lower floor after the opening: time to get used to prepayment."""

    days: int = Field(ge=1, le=3650, examples=[30])
    floor: Amount = Field(examples=["-300.00"])


class VendLimitsDocument(Schema):
    """Which top-ups are accepted, and up to which balance; null: any."""

    minimum: Amount | None = Field(default=None, examples=["5.00"])
    maximum: Amount | None = Field(default=None, examples=["50000.00"])
    maximum_balance: Amount | None = Field(default=None, examples=["100000.00"])

    @classmethod
    def of(cls, limits: VendLimits) -> "VendLimitsDocument":
        def text(amount_micro: int | None) -> str | None:
            return None if amount_micro is None else format_amount(amount_micro)

        return cls(
            minimum=text(limits.minimum_micro),
            maximum=text(limits.maximum_micro),
            maximum_balance=text(limits.maximum_balance_micro),
        )


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
            thresholds=_thresholds(self.low_balance),
            emergency=_terms(self.emergency),
            debt_share_ppm=self.debt_share_ppm,
            kind_times=KindTimes(
                friendly=tuple(_hours(hours) for hours in self.friendly_hours),
                holidays=frozenset(self.holidays),
            ),
            remind_minutes=self.remind_minutes,
            load_limit=LoadLimit(**self.load_limit.model_dump()) if self.load_limit else None,
            waterfall=tuple(Step(step) for step in self.waterfall),
            debt_cap=self.debt_cap.to_per_period() if self.debt_cap else None,
            grace=_grace(self.grace),
            vend=_vend(self.vend),
            chargeback_grace_hours=self.chargeback_grace_hours,
        )

    @classmethod
    def of_policy(cls, policy: CreditPolicy, currency: str) -> "PolicyDocument":
        terms = policy.emergency
        return cls(
            currency=currency,
            floor=format_amount(policy.floor_micro),
            low_balance=[
                LowBalanceDocument(at=format_amount(t.at_micro), rearm=format_amount(t.rearm_micro))
                for t in policy.thresholds
            ],
            emergency=None if terms is None else EmergencyDocument.of(terms),
            debt_share_ppm=policy.debt_share_ppm,
            friendly_hours=[
                FriendlyHoursDocument.of(hours) for hours in policy.kind_times.friendly
            ],
            holidays=sorted(policy.kind_times.holidays),
            remind_minutes=policy.remind_minutes,
            load_limit=_limit_document(policy.load_limit),
            waterfall=[step.value for step in policy.waterfall],
            debt_cap=_cap_document(policy.debt_cap),
            grace=_grace_document(policy.grace),
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
    def of(cls, written: WrittenPolicy) -> "PolicyResponse":
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
    def of(cls, asked: PolicyRequest) -> "PolicyRequestResponse":
        row = asked.row
        return cls.model_validate(
            {
                **row._mapping,
                "document": PolicyDocument.of_policy(asked.policy, row.currency),
                "replaces_version": asked.replaces_version or None,
            }
        )


def _thresholds(levels: list[LowBalanceDocument]) -> tuple[Threshold, ...]:
    thresholds = (Threshold(parse_amount(level.at), parse_amount(level.rearm)) for level in levels)
    return tuple(sorted(thresholds, key=lambda threshold: -threshold.at_micro))


def _terms(emergency: EmergencyDocument | None) -> EmergencyTerms | None:
    if emergency is None:
        return None
    return EmergencyTerms(
        limit_micro=parse_amount(emergency.limit),
        offer_at_micro=parse_amount(emergency.offer_at),
        reoffer_above_micro=parse_amount(emergency.reoffer_above),
        needs_acceptance=emergency.needs_acceptance,
    )


def _grace(grace: GraceDocument | None) -> Grace | None:
    return None if grace is None else Grace(grace.days, parse_amount(grace.floor))


def _vend(vend: VendLimitsDocument) -> VendLimits:
    amounts = (vend.minimum, vend.maximum, vend.maximum_balance)
    return VendLimits(*(None if text is None else parse_amount(text) for text in amounts))


def _hours(friendly: FriendlyHoursDocument) -> FriendlyHours:
    weekdays = frozenset(DAYS.index(day) for day in friendly.days)
    return FriendlyHours(weekdays, friendly.start, friendly.end)


def _cap_document(cap: PerPeriod | None) -> AmountPerPeriodDocument | None:
    if cap is None:
        return None
    return AmountPerPeriodDocument(amount=format_amount(cap.amount_micro), period=cap.period.value)


def _grace_document(grace: Grace | None) -> GraceDocument | None:
    if grace is None:
        return None
    return GraceDocument(days=grace.days, floor=format_amount(grace.floor_micro))


def _limit_document(limit: LoadLimit | None) -> LoadLimitDocument | None:
    return (
        None
        if limit is None
        else LoadLimitDocument(power_w=limit.power_w, for_minutes=limit.for_minutes)
    )
