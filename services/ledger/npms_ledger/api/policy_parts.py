"""The parts of a credit policy, as people write them."""

from datetime import time
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from npms_ledger.domain.friendly import FriendlyHours
from npms_ledger.domain.policy import EmergencyTerms, Grace, LoadLimit, Threshold, VendLimits
from npms_shared.money import format_amount, parse_amount
from npms_shared.web.schemas import Amount, CodedError, Schema

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _written(value: object) -> object:
    """Else a number would be read as seconds of the day."""
    if not isinstance(value, str | time):
        raise CodedError("not_a_time", "expected hours and minutes, e.g. 18:00")
    return value


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

    @classmethod
    def of(cls, threshold: Threshold) -> Self:
        return cls(at=format_amount(threshold.at_micro), rearm=format_amount(threshold.rearm_micro))

    def to_threshold(self) -> Threshold:
        return Threshold(parse_amount(self.at), parse_amount(self.rearm))


class EmergencyDocument(Schema):
    limit: Amount = Field(examples=["20.00"])
    offer_at: Amount = Field(examples=["10.00"])
    reoffer_above: Amount = Field(examples=["15.00"])
    needs_acceptance: bool = True

    @classmethod
    def of(cls, terms: EmergencyTerms) -> Self:
        return cls(
            limit=format_amount(terms.limit_micro),
            offer_at=format_amount(terms.offer_at_micro),
            reoffer_above=format_amount(terms.reoffer_above_micro),
            needs_acceptance=terms.needs_acceptance,
        )

    def to_terms(self) -> EmergencyTerms:
        return EmergencyTerms(
            limit_micro=parse_amount(self.limit),
            offer_at_micro=parse_amount(self.offer_at),
            reoffer_above_micro=parse_amount(self.reoffer_above),
            needs_acceptance=self.needs_acceptance,
        )


class FriendlyHoursDocument(Schema):
    """Weekly local times at which a supply that is on is kept on; `to` may lie on the next day."""

    days: list[Day] = Field(min_length=1, examples=[["mon", "tue", "wed", "thu", "fri"]])
    start: LocalTime = Field(alias="from", examples=["18:00"])
    end: LocalTime = Field(alias="to", examples=["08:00"])

    @classmethod
    def of(cls, hours: FriendlyHours) -> Self:
        days = [DAYS[day] for day in sorted(hours.weekdays)]
        return cls.model_validate({"days": days, "from": hours.start, "to": hours.end})

    def to_hours(self) -> FriendlyHours:
        weekdays = frozenset(DAYS.index(day) for day in self.days)
        return FriendlyHours(weekdays, self.start, self.end)


class LoadLimitDocument(Schema):
    """Before the cut: how much power a supply may draw, and how long."""

    power_w: int = Field(gt=0, le=10_000_000, examples=[500])
    for_minutes: int = Field(gt=0, le=100_000, examples=[120])

    @classmethod
    def of(cls, limit: LoadLimit) -> Self:
        return cls(power_w=limit.power_w, for_minutes=limit.for_minutes)

    def to_limit(self) -> LoadLimit:
        return LoadLimit(self.power_w, self.for_minutes)


class GraceDocument(Schema):
    """Another, lower floor after the opening: time to get used to prepayment."""

    days: int = Field(ge=1, le=3650, examples=[30])
    floor: Amount = Field(examples=["-300.00"])

    @classmethod
    def of(cls, grace: Grace) -> Self:
        return cls(days=grace.days, floor=format_amount(grace.floor_micro))

    def to_grace(self) -> Grace:
        return Grace(self.days, parse_amount(self.floor))


class VendLimitsDocument(Schema):
    """Which top-ups are accepted, and up to which balance; null: any."""

    minimum: Amount | None = Field(default=None, examples=["5.00"])
    maximum: Amount | None = Field(default=None, examples=["50000.00"])
    maximum_balance: Amount | None = Field(default=None, examples=["100000.00"])

    @classmethod
    def of(cls, limits: VendLimits) -> Self:
        def text(amount_micro: int | None) -> str | None:
            return None if amount_micro is None else format_amount(amount_micro)

        return cls(
            minimum=text(limits.minimum_micro),
            maximum=text(limits.maximum_micro),
            maximum_balance=text(limits.maximum_balance_micro),
        )

    def to_limits(self) -> VendLimits:
        amounts = (self.minimum, self.maximum, self.maximum_balance)
        return VendLimits(*(None if text is None else parse_amount(text) for text in amounts))
