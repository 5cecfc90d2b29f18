"""Shapes of feeders and their losses."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from npms_meter_gateway.domain.feeder import Feeder, Loss
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Reason, Schema, Zone


def _percent(text: str) -> str:
    if Decimal(text) > 100:
        raise CodedError("percent_above_100", "more than everything cannot be lost")
    return text


Percent = Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$"), AfterValidator(_percent)]
MemberId = Annotated[int, Field(ge=1, le=MAX_ID)]


class FeederRequest(Schema):
    """A feeder's meter and the meters behind it."""

    members: Annotated[list[MemberId], Field(max_length=2000)] = Field(
        description="installations that the feeder supplies; none ends the check", examples=[[2, 3]]
    )
    tolerance_percent: Percent = Field(
        description="how much of a day's delivery may be lost", examples=["8"]
    )
    time_zone: Zone = Field(description="whose days are compared", examples=["Africa/Nairobi"])
    reason: Reason = Field(
        description="for the record of who decided what", examples=["Transformer T7 measured"]
    )

    @property
    def tolerance_ppm(self) -> int:
        return int(Decimal(self.tolerance_percent) * 10_000)


class FeederResponse(BaseModel):
    installation_id: int
    members: list[int]
    tolerance_percent: str
    time_zone: str
    changed_by: str
    reason: str
    changed_at: datetime

    @classmethod
    def of(cls, feeder: Feeder) -> Self:
        plain = {name: getattr(feeder, name) for name in cls.model_fields if hasattr(feeder, name)}
        return cls(**plain, tolerance_percent=percent(feeder.tolerance_ppm))


class LossDayResponse(BaseModel):
    """A local day: what was delivered, what was counted, what is lost."""

    day: date
    begins: datetime
    ends: datetime
    delivered: Energy | None = Field(description="null without readings of the feeder")
    counted: Energy = Field(description="of the members that were read")
    loss: Energy | None = Field(
        description="below zero where members counted more; null while one is missing"
    )
    loss_percent: str | None
    beyond_tolerance: bool | None
    missing: list[int] = Field(description="members without readings around the day")
    estimated: list[int] = Field(description="those read too seldom to tell the day")

    @classmethod
    def of(cls, loss: Loss, tolerance_ppm: int) -> Self:
        return cls(
            day=loss.day.day,
            begins=datetime.fromtimestamp(loss.day.begin_s, UTC),
            ends=datetime.fromtimestamp(loss.day.end_s, UTC),
            delivered=None if loss.feeder_wh is None else Energy.of(loss.feeder_wh),
            counted=Energy.of(loss.members_wh),
            loss=None if loss.loss_wh is None else Energy.of(loss.loss_wh),
            loss_percent=None if loss.loss_ppm is None else percent(loss.loss_ppm),
            beyond_tolerance=loss.is_beyond(tolerance_ppm),
            missing=list(loss.missing),
            estimated=list(loss.estimated),
        )


class LossesResponse(BaseModel):
    """A feeder's days; the last ones may still change as readings come."""

    feeder: FeederResponse
    days: list[LossDayResponse]

    @classmethod
    def of(cls, feeder: Feeder, losses: Sequence[Loss]) -> Self:
        days = [LossDayResponse.of(loss, feeder.tolerance_ppm) for loss in losses]
        return cls(feeder=FeederResponse.of(feeder), days=days)


class LossSpanRequest(Schema):
    """Local days of [from, to), a quarter of a year at most."""

    from_: date = Field(alias="from", examples=["2026-11-01"])
    to: date = Field(examples=["2026-12-01"])

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        if not 0 < (self.to - self.from_).days <= 92 or not 1971 <= self.from_.year <= 2200:
            raise CodedError("bad_range", "from 1 to 92 days, of years that somebody may mean")
        return self


def percent(ppm: int) -> str:
    return f"{Decimal(ppm) / 10_000:f}"
