"""Shapes of the REST interface."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from npms_meter_gateway.domain.meters import KnownMeter, LinkState, SupplyState
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.import_readings import ImportedLine, ImportReport
from npms_meter_gateway.handlers.take_readings import SentReading, Taken
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
    def _names_one_meter(self) -> Self:
        if (self.installation_id is None) == (self.serial is None):
            raise CodedError("which_meter", "give either installation_id or serial")
        return self

    def sent(self) -> SentReading:
        meter = self.serial if self.installation_id is None else self.installation_id
        assert meter is not None
        return SentReading(meter, int(self.taken_at.timestamp()), self.register_wh)


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

    @classmethod
    def of(cls, request: ReadingsRequest, taken: Taken) -> Self:
        results = [
            ReadingResultResponse(
                installation_id=installation_id,
                serial=reading.serial,
                result=verdict,
                reason=WORDS[verdict],
            )
            for reading, installation_id, verdict in zip(
                request.readings, taken.installation_ids, taken.verdicts, strict=True
            )
        ]
        return cls(accepted=taken.accepted, results=results)


class ImportedReadingResponse(BaseModel):
    """What became of one line."""

    line: int = Field(description="in the file, the heading being line 1", examples=[2])
    installation_id: int | None
    serial: str | None
    result: Verdict = Field(examples=["accepted"])
    reason: str = Field(examples=["stored"])

    @classmethod
    def of(cls, imported: ImportedLine) -> Self:
        meter = imported.reading.meter
        return cls(
            line=imported.line,
            installation_id=imported.installation_id,
            serial=meter if isinstance(meter, str) else None,
            result=imported.verdict,
            reason=WORDS[imported.verdict],
        )


class ReadingImportResponse(BaseModel):
    dry_run: bool
    accepted: int = Field(description="how many were, or would be, stored")
    lines: list[ImportedReadingResponse]

    @classmethod
    def of(cls, report: ImportReport, *, dry_run: bool) -> Self:
        lines = [ImportedReadingResponse.of(imported) for imported in report.lines]
        return cls(dry_run=dry_run, accepted=report.accepted, lines=lines)


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

    @classmethod
    def of(cls, supply: SupplyState) -> Self:
        return cls.model_validate(asdict(supply))


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

    @classmethod
    def of(cls, meter: KnownMeter) -> Self:
        last = None
        if meter.last_reading is not None:
            taken_at, register_wh = meter.last_reading
            last = LastReadingResponse(taken_at=taken_at, register=Energy.of(register_wh))
        return cls(
            **{name: getattr(meter, name) for name in _PLAIN},
            link=LinkResponse(state=meter.link, since=meter.link_since),
            last_reading=last,
            supply=None if meter.supply is None else SupplyResponse.of(meter.supply),
        )


_PLAIN = MeterResponse.model_fields.keys() - {"link", "last_reading", "supply"}


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

    @classmethod
    def of(cls, profile: Profile) -> Self:
        return cls(
            profile=profile.code,
            vendor=profile.vendor,
            model=profile.model,
            aliases=list(profile.aliases),
            driver=profile.driver,
            confidence=profile.confidence,
            is_certain=profile.is_certain,
            notes=profile.notes,
            has_relay=profile.is_switched,
            can_limit=profile.load_limit is not None,
            points=sorted(profile.points),
            resolution_wh=profile.resolution_wh,
            sources=[SourceResponse(what=s.what, confidence=s.confidence) for s in profile.sources],
        )
