"""What the blocks of a profile file are made of."""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

Register = Annotated[int, Field(ge=0, le=0xFFFF)]
"""An address as it goes over the wire, counted from 0; or what one register holds."""

DataId = Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
"""An address, or for DL/T 645 a data identifier."""


EXACT = re.compile(r"-?\d+(\.\d+|/\d+)?")


def _exact(value: object) -> Fraction:
    """Scales are written as text, so that 0.1 means a tenth and not its nearest float."""
    if not isinstance(value, str) or not EXACT.fullmatch(value):
        raise ValueError('write it in quotes, as an exact number: "0.01" or "1/3"')
    try:
        return Fraction(value)
    except ZeroDivisionError:
        raise ValueError("the number divides by zero") from None


Exact = Annotated[
    Fraction,
    BeforeValidator(_exact),
    WithJsonSchema(
        {"type": "string", "examples": ["0.01", "1000"], "pattern": f"^{EXACT.pattern}$"}
    ),
]
"""An exact number, written in quotes."""


class Block(BaseModel):
    """A mapping of the file, without any key that nobody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
