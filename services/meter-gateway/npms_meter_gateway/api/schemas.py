"""Shapes of the REST interface."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from npms_meter_gateway.domain.validation import Verdict
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Instant, Line, Schema


class ReadingRequest(Schema):
    """What a meter, named by its installation or by its serial, showed at a moment."""

    installation_id: int | None = Field(default=None, ge=1, le=MAX_ID, examples=[1])
    serial: Line | None = Field(
        default=None, description="instead of installation_id: of the meter", examples=["M1"]
    )
    taken_at: Instant = Field(
        description="with its offset from UTC; kept to the second",
        examples=["2026-11-23T18:15:00+03:00"],
    )
    register_wh: int = Field(
        ge=0,
        le=MAX_ID,
        description="the cumulative import register, as the meter shows it",
        examples=[1250000],
    )

    @model_validator(mode="after")
    def _names_one_meter(self) -> "ReadingRequest":
        if (self.installation_id is None) == (self.serial is None):
            raise CodedError("which_meter", "give either installation_id or serial")
        return self


class ReadingsRequest(Schema):
    readings: Annotated[list[ReadingRequest], Field(min_length=1, max_length=1000)]


class ReadingResultResponse(BaseModel):
    """What became of one reading, in the order given."""

    installation_id: int | None = Field(description="null where the serial is not known")
    serial: str | None = Field(description="as given")
    result: Verdict = Field(
        description="accepted; unchanged or duplicate, nothing new; anything else is the reason "
        "for which the reading is held; unknown_serial and polled_meter are not kept",
        examples=["accepted"],
    )
    reason: str = Field(description="the same in words", examples=["stored"])


class ReadingsResponse(BaseModel):
    accepted: int
    results: list[ReadingResultResponse]


class ImportedReadingResponse(BaseModel):
    """What became of one line."""

    line: int = Field(description="in the file, the heading being line 1", examples=[2])
    installation_id: int | None
    serial: str | None
    result: Verdict = Field(examples=["accepted"])
    reason: str = Field(examples=["stored"])


class ReadingImportResponse(BaseModel):
    dry_run: bool
    accepted: int = Field(description="how many were, or would be, stored")
    lines: list[ImportedReadingResponse]


class LastReadingResponse(BaseModel):
    taken_at: datetime
    register_: Energy = Field(alias="register", serialization_alias="register")


class DesiredSupplyResponse(BaseModel):
    state: Literal["on", "off"]
    revision: int
    reason: str
    limit_w: int | None = Field(description="the most power it may draw; null is no limit")


class ReportedSupplyResponse(BaseModel):
    state: Literal["on", "off", "unknown"]
    revision: int
    verified: bool
    limit_w: int | None
    reported_at: datetime


class SupplyResponse(BaseModel):
    """What supply should be beside what it was last seen to be."""

    desired: DesiredSupplyResponse
    reported: ReportedSupplyResponse | None
    settled: bool
    awaits: Literal["", "customer", "power", "link"] = Field(
        description="what is still to come: a press on the meter's button, power that proves the "
        "relay closed, or a link to the meter"
    )
    suspended_since: datetime | None = Field(description="since when its meter is not reached")
    blocked_by: str = Field(
        description="why it is not worked toward what is desired, empty where it is: suspect "
        "(another meter answers than the one installed), moved (by hand), "
        "stopped (the gateway opens no more), pushed (it sends its readings and is not reached), "
        "no_relay"
    )


LinkState = Literal["unknown", "reachable", "unreachable"]


class LinkResponse(BaseModel):
    state: LinkState
    since: datetime | None


class MeterResponse(BaseModel):
    """An installation's meter, how it is reached, and what it last showed."""

    installation_id: int
    account_id: int
    serial: str
    profile: str
    host: str
    port: int
    unit_id: int
    opened_at: datetime
    closed_at: datetime | None
    link: LinkResponse
    last_reading: LastReadingResponse | None
    seen_at: datetime | None
    power_w: int | None
    voltage_mv: int | None
    relay: Literal["on", "off", "unknown"] | None
    supply: SupplyResponse | None


class SourceResponse(BaseModel):
    what: str
    confidence: str


class ProfileResponse(BaseModel):
    """A device type that can be read, and how sure its register map is."""

    profile: str
    vendor: str
    model: str
    aliases: list[str] = Field(description="other names of the same device")
    driver: Literal["modbus", "dlt645"]
    confidence: str = Field(
        description="manual, two_code_bases, one_code_base, disputed or assumed",
        examples=["one_code_base"],
    )
    is_certain: bool = Field(
        description="a manual, or two who found out apart from each other, say so; else compare "
        "with the display before billing"
    )
    notes: str
    has_relay: bool
    can_limit: bool
    points: list[str]
    resolution_wh: int
    sources: list[SourceResponse]
