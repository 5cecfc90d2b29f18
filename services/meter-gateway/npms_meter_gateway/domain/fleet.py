"""Gateways, sites and lines, as people look at them."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from npms_meter_gateway.domain.gateway import Parity, Transport, own_pause_ms


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """Open installations by how they are; a meter may count in several."""

    meters: int
    reachable: int
    unreachable: int
    late: int
    switched_off: int
    off_against_desired: int
    on_against_desired: int
    held_readings: int


COUNTS = tuple(column.name for column in fields(MeterCounts))


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How an address is reached, and what its line bears; `pause_ms` is None where none was set."""

    transport: Transport
    device: str
    baud: int
    parity: Parity
    site: str
    depth: int
    pause_ms: int | None
    late_window_ms: int

    @property
    def kept_pause_ms(self) -> int:
        """The one that was set, or what the transport needs."""
        if self.pause_ms is not None:
            return self.pause_ms
        return own_pause_ms(self.transport, self.baud)


SETTINGS = tuple(column.name for column in fields(GatewaySettings))


@dataclass(frozen=True, slots=True)
class KnownGateway:
    """A gateway, its settings, and how its meters are."""

    gateway_id: int
    host: str
    port: int
    settings: GatewaySettings
    counts: MeterCounts


@dataclass(frozen=True, slots=True)
class Site:
    """All meters of a site; the site without a name has those whose readings are sent to us."""

    site: str
    gateways: int
    counts: MeterCounts


@dataclass(frozen=True, slots=True)
class GatewayChange:
    """The settings that a person changed."""

    change_id: int
    changed_at: datetime
    by_subject: str
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class QualityHour:
    """What a line asked and was answered in an hour."""

    hour: datetime
    asked: int
    answered: int
    timeouts: int
    exceptions: int
    drops: int
    bad_answers: int
    busy_ms: int


def total_of(sites: list[Site]) -> MeterCounts:
    """The counts of all sites together."""
    return MeterCounts(
        **{name: sum(getattr(site.counts, name) for site in sites) for name in COUNTS}
    )
