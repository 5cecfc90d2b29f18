"""Shapes of gateways, sites and the quality of lines."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints

from npms_meter_gateway.domain.fleet import (
    GatewayChange,
    KnownGateway,
    MeterCounts,
    QualityHour,
    Site,
    total_of,
)
from npms_meter_gateway.domain.gateway import Parity, Transport
from npms_shared.web.schemas import Schema

HOUR_MS = 3_600_000
Words = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class MeterCountsResponse(BaseModel):
    """Open installations by how they are; a meter may count in several."""

    meters: int = Field(examples=[32])
    reachable: int = Field(examples=[31])
    unreachable: int = Field(examples=[1])
    late: int = Field(description="nothing was seen of it for three intervals", examples=[1])
    switched_off: int = Field(description="reported off", examples=[2])
    off_against_desired: int = Field(description="off that should be on", examples=[0])
    on_against_desired: int = Field(description="on that should be off", examples=[0])
    held_readings: int = Field(description="readings that wait for a person", examples=[3])

    @classmethod
    def of(cls, counts: MeterCounts) -> Self:
        return cls.model_validate(counts, from_attributes=True)


class _Settings(BaseModel):
    """How an address is reached, and what its line bears."""

    transport: Transport = Field(examples=["modbus_tcp"])
    device: str = Field(description="serial device of this machine, of `serial`", examples=[""])
    baud: int = Field(description="of `serial`", examples=[9600])
    parity: Parity = Field(description="of `serial`", examples=["N"])
    site: str = Field(examples=["Kiberyo Court"])
    depth: int = Field(description="requests it bears in flight", examples=[1])
    pause_ms: int = Field(
        description="silence between an answer and the next request; 10 or more on RTU, and 0 on "
        "Modbus/TCP, where none was set",
        examples=[0],
    )
    late_window_ms: int = Field(
        description="how long an answer may still come after its request was given up",
        examples=[500],
    )


class GatewayResponse(_Settings):
    gateway_id: int = Field(examples=[1])
    host: str = Field(examples=["10.20.0.7"])
    port: int = Field(examples=[502])
    counts: MeterCountsResponse

    @classmethod
    def of(cls, gateway: KnownGateway) -> Self:
        return cls(
            gateway_id=gateway.gateway_id,
            host=gateway.host,
            port=gateway.port,
            counts=MeterCountsResponse.of(gateway.counts),
            **{**asdict(gateway.settings), "pause_ms": gateway.settings.kept_pause_ms},
        )


class ChangeGatewayRequest(Schema):
    """What is left out stays as it is."""

    transport: Transport | None = Field(default=None, examples=["rtu_over_tcp"])
    device: Words | None = Field(
        default=None,
        pattern=r"^(/dev/[A-Za-z0-9._:@+/-]+)?$",
        description="one of those that this service may open",
        examples=["/dev/ttyUSB0"],
    )
    baud: int | None = Field(default=None, ge=300, le=1_000_000, examples=[9600])
    parity: Parity | None = Field(default=None, examples=["N"])
    site: Words | None = Field(default=None, examples=["Kiberyo Court"])
    depth: int | None = Field(default=None, ge=1, le=64, examples=[1])
    pause_ms: int | None = Field(default=None, ge=0, le=60_000, examples=[20])
    late_window_ms: int | None = Field(default=None, ge=0, le=60_000, examples=[500])


class GatewayChangeResponse(BaseModel):
    """The settings that a person changed."""

    changed_at: datetime
    by_subject: str = Field(examples=["amina"])
    before: dict[str, str | int | None] = Field(examples=[{"transport": "modbus_tcp"}])
    after: dict[str, str | int | None] = Field(examples=[{"transport": "rtu_over_tcp"}])

    @classmethod
    def of(cls, change: GatewayChange) -> Self:
        return cls.model_validate(change, from_attributes=True)


class QualityHourResponse(BaseModel):
    """Requests of one hour. `bus_share` is the part of the hour with a request on the line."""

    hour: datetime
    asked: int = Field(examples=[1840])
    answered: int = Field(examples=[1835])
    timeouts: int = Field(examples=[4])
    exceptions: int = Field(examples=[1])
    drops: int = Field(description="the peer closed while an answer was awaited", examples=[0])
    bad_answers: int = Field(description="not the answer to what was asked", examples=[0])
    busy_ms: int = Field(examples=[225_000])
    bus_share: float = Field(examples=[0.0625])

    @classmethod
    def of(cls, hour: QualityHour) -> Self:
        return cls(**asdict(hour), bus_share=round(hour.busy_ms / HOUR_MS, 6))


class SiteResponse(BaseModel):
    """All meters of a site; the site without a name has those whose readings are sent to us."""

    site: str = Field(examples=["Kiberyo Court"])
    gateways: int = Field(examples=[4])
    counts: MeterCountsResponse

    @classmethod
    def of(cls, site: Site) -> Self:
        counts = MeterCountsResponse.of(site.counts)
        return cls(site=site.site, gateways=site.gateways, counts=counts)


class FleetResponse(BaseModel):
    total: MeterCountsResponse
    sites: list[SiteResponse]

    @classmethod
    def of(cls, sites: list[Site]) -> Self:
        total = MeterCountsResponse.of(total_of(sites))
        return cls(total=total, sites=[SiteResponse.of(site) for site in sites])
