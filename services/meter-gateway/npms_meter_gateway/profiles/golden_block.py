"""The part of a profile file with frames that prove it."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from npms_meter_gateway.domain.profile import GoldenFrame
from npms_meter_gateway.profiles.fields import EXACT, Block

HEX = re.compile(r"([0-9A-Fa-f]{2} ?)+")


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or not HEX.fullmatch(value):
        raise ValueError('write bytes in quotes, as "01 03 00 00"')
    return bytes.fromhex(value)


Frame = Annotated[
    bytes,
    BeforeValidator(_bytes),
    WithJsonSchema({"type": "string", "pattern": f"^{HEX.pattern}$", "examples": ["01 03 00 00"]}),
]
"""A frame as it goes over a serial line: unit, function, data, CRC with its low byte first."""


Number = Annotated[str, Field(pattern=f"^{EXACT.pattern}$")]


class GoldenBlock(Block):
    origin: str = Field(description="where the bytes are from: a manual, a meter, or constructed")
    request: Frame
    response: Frame
    values: dict[str, Number | None] = Field(default={}, description="null: not available")
    switches: Literal["on", "off"] | None = None
    serial_number: int | None = Field(default=None, description="of a meter with a key")


def golden_of(block: GoldenBlock) -> GoldenFrame:
    return GoldenFrame(**dict(block))
