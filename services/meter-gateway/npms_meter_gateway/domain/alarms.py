"""What was raised of meters, as it is kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from npms_meter_gateway.domain.event_kinds import Severity, severity_of


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which open alarms are wanted; all, where nothing is named."""

    kind: str | None = None
    installation_id: int | None = None
    gateway_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """`gateway_id` is None where the meter's readings are sent to us."""

    event_id: UUID
    installation_id: int
    account_id: int
    serial: str
    gateway_id: int | None
    kind: str
    detail: str
    raised_at: datetime

    @property
    def severity(self) -> Severity:
        return severity_of(self.kind)


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """`cleared_at` is None for what is open still, and for what does not last."""

    event_id: UUID
    installation_id: int
    kind: str
    detail: str
    raised_at: datetime
    cleared_at: datetime | None
    cleared_detail: str | None

    @property
    def severity(self) -> Severity:
        return severity_of(self.kind)


@dataclass(frozen=True, slots=True)
class ClearedAlarm:
    account_id: int
    kind: str
    raised_at: datetime
