"""The shape of a profile file."""

from fractions import Fraction
from typing import Literal

from pydantic import Field

from npms_meter_gateway.domain.profile import NumberType
from npms_meter_gateway.profiles.fields import Block, Exact, Register
from npms_meter_gateway.profiles.relay_block import LoadLimitBlock, RelayBlock


class PointBlock(Block):
    table: Literal["input", "holding"]
    address: Register
    type: NumberType
    scale: Exact = Fraction(1)
    low_word_first: bool = False
    invalid: frozenset[int] = frozenset()


class LimitsBlock(Block):
    max_read: int = Field(default=60, ge=1, le=125)
    max_hole: int = Field(default=16, ge=0, le=120)
    even: bool = False
    timeout_ms: int = Field(default=1000, ge=10, le=60_000)


class SourceBlock(Block):
    what: str
    confidence: Literal["manual", "two_code_bases", "one_code_base", "disputed", "assumed"]


class ProfileFile(Block):
    profile: str = Field(pattern=r"^[a-z0-9_]{3,64}$")
    vendor: str
    model: str
    notes: str = ""
    sources: list[SourceBlock] = Field(min_length=1)
    limits: LimitsBlock = LimitsBlock()
    resolution_wh: int
    rollover_wh: int | None = None
    points: dict[str, PointBlock]
    relay: RelayBlock
    load_limit: LoadLimitBlock | None = None
