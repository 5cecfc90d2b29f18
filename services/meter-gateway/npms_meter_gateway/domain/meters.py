"""Meters and their readings, as people look at them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.reconciling import Awaits, Desired
from npms_meter_gateway.domain.relay import Seen


class UnknownMeter(Exception):
    """There is no such installation."""


LinkState = Literal["unknown", "reachable", "unreachable"]
How = Literal["read", "released", "corrected", "ratio", "sent"]


@dataclass(frozen=True, slots=True)
class MeterFilter:
    """Which meters are wanted; all, where nothing is named."""

    serial: str | None = None
    link: LinkState | None = None
    gateway_id: int | None = None
    late: bool = False
    against_desired: bool = False


@dataclass(frozen=True, slots=True)
class ReportedSupply:
    state: Seen
    revision: int
    verified: bool
    limit_w: int | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class SupplyState:
    """What supply should be beside what it was last seen to be."""

    desired: Desired
    reported: ReportedSupply | None
    settled: bool
    awaits: Awaits
    suspended_since: datetime | None
    blocked_by: str


@dataclass(frozen=True, slots=True)
class KnownMeter:
    """An installation's meter, how it is reached, and what it last showed; `last_reading` is when
    it was taken and the validated register in Wh.
    """

    installation_id: int
    account_id: int
    serial: str
    profile: str
    host: str
    port: int
    unit_id: int
    opened_at: datetime
    closed_at: datetime | None
    link: LinkState
    link_since: datetime | None
    seen_at: datetime | None
    power_w: int | None
    voltage_mv: int | None
    relay: Seen | None
    last_reading: tuple[datetime, int] | None
    supply: SupplyState | None

    @property
    def is_polled(self) -> bool:
        """Whether we read it, and not its readings are sent to us."""
        return self.closed_at is None and self.port > 0


@dataclass(frozen=True, slots=True)
class PolledInstallation:
    """An open installation whose meter we read, and the gateway behind which it is."""

    installation_id: int
    account_id: int
    serial: str
    profile: str
    unit_id: int
    link: LinkState
    gateway: Gateway


@dataclass(frozen=True, slots=True)
class AcceptedReading:
    """The validated register beside the meter's own; `since_s` is the time since the reading
    before, or the opening.
    """

    at_s: int
    taken_at: datetime
    register_wh: int
    raw_wh: int
    how: How
    held_id: int | None
    since_s: int
