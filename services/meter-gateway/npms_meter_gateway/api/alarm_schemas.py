"""Shapes of alarms and meter events."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from npms_meter_gateway.domain.alarms import MeterEvent, OpenAlarm
from npms_meter_gateway.domain.event_kinds import Severity


class _Raised(BaseModel):
    event_id: UUID
    installation_id: int = Field(examples=[1])
    kind: str = Field(examples=["unreachable"])
    severity: Severity = Field(examples=["warning"])
    detail: str = Field(examples=["no_answer: nothing within 1.0 s"])
    raised_at: datetime


class AlarmResponse(_Raised):
    """What was raised and is not over. `gateway_id` is null where readings are sent to us."""

    account_id: int = Field(examples=[1])
    serial: str = Field(examples=["SDM-0001"])
    gateway_id: int | None = Field(examples=[1])

    @classmethod
    def of(cls, alarm: OpenAlarm) -> Self:
        return cls.model_validate(alarm, from_attributes=True)


class MeterEventResponse(_Raised):
    """`cleared_at` is null for what is open still, and for what does not last."""

    cleared_at: datetime | None
    cleared_detail: str | None = Field(examples=["answers"])

    @classmethod
    def of(cls, event: MeterEvent) -> Self:
        return cls.model_validate(event, from_attributes=True)
