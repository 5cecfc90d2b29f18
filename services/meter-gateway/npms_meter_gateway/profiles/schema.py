"""The shape of a profile file."""

from typing import Any

from pydantic import Field

from npms_meter_gateway.domain.profile import Confidence, DriverName
from npms_meter_gateway.profiles.fields import Block
from npms_meter_gateway.profiles.golden_block import GoldenBlock
from npms_meter_gateway.profiles.point_block import PointBlock, ProbeBlock
from npms_meter_gateway.profiles.records_block import (
    ClockBlock,
    EventsBlock,
    FreezesBlock,
    StatusBlock,
)
from npms_meter_gateway.profiles.relay_block import LoadLimitBlock, RelayBlock

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class LimitsBlock(Block):
    max_read: int = Field(default=60, ge=1, le=125, description="registers in one read")
    max_hole: int = Field(default=16, ge=0, le=120, description="registers read in vain")
    even: bool = Field(default=False, description="only even addresses and counts are served")
    min_gap_ms: int = Field(default=0, ge=0, le=5_000, description="silence before a request")
    timeout_ms: int = Field(default=1000, ge=10, le=60_000)


class SourceBlock(Block):
    what: str
    confidence: Confidence


class ProfileFile(Block):
    """A device type of NPMS' meter-gateway."""

    profile: str = Field(pattern=r"^[a-z0-9_]{3,64}$")
    vendor: str
    model: str
    aliases: list[str] = Field(default=[], description="other names of the same device")
    driver: DriverName = "modbus"
    notes: str = ""
    sources: list[SourceBlock] = Field(min_length=1)
    probe: list[ProbeBlock] = Field(default=[], description="what only this device type reads as")
    limits: LimitsBlock = LimitsBlock()
    resolution_wh: int = Field(description="the smallest step of the import register")
    rollover_wh: int | None = Field(default=None, description="where it starts again at 0")
    points: dict[str, PointBlock]
    relay: RelayBlock
    load_limit: LoadLimitBlock | None = None
    clock: ClockBlock | None = None
    freezes: list[FreezesBlock] = Field(default=[])
    events: EventsBlock | None = None
    status: list[StatusBlock] = Field(default=[])
    golden: list[GoldenBlock] = Field(default=[])


def profile_schema() -> dict[str, Any]:
    """Of a profile file. What a schema cannot say (that registers do not overlap, that records hold
    what stands in them) is checked besides: see domain.checking.
    """
    return {"$schema": DIALECT, **ProfileFile.model_json_schema()}
