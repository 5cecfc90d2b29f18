"""Shapes of ratios and of readings beside what was shown."""

import re
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from npms_meter_gateway.domain.reckoning import LARGEST_RATIO
from npms_shared.web.schemas import CodedError, Energy, Instant, Line, Schema

_RATIO = re.compile(r"[0-9]{1,7}(\.[0-9]{1,6})?")


def _ratio(text: str) -> str:
    if _RATIO.fullmatch(text) is None:
        raise CodedError("not_a_ratio", f"{text[:40]!r} is no decimal number")
    if not 1 <= Decimal(text) <= LARGEST_RATIO:
        raise CodedError("ratio_out_of_range", f"a ratio is from 1 to {LARGEST_RATIO}")
    return text


RatioText = Annotated[str, AfterValidator(_ratio)]
"""An exact decimal number."""


class RatioRequest(Schema):
    """Transformers of another ratio, from an instant on."""

    from_: Instant = Field(alias="from", examples=["2026-11-23T09:30:00+03:00"])
    ratio: RatioText = Field(
        description="of current times that of voltage: 200/5 A is 40", examples=["40"]
    )
    register_: Energy = Field(
        alias="register",
        description="what the meter itself showed at that moment",
        examples=[{"value": "1250.000", "unit": "kWh"}],
    )
    reason: Line = Field(
        description="for the record of who decided what", examples=["Transformers of 200/5 A"]
    )

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.ratio)


class RatioResponse(BaseModel):
    """From `from` on the validated register is `validated` + (raw - `register`) x `ratio`."""

    from_: datetime = Field(alias="from", serialization_alias="from")
    ratio: str = Field(examples=["40"])
    register_: Energy = Field(
        alias="register",
        serialization_alias="register",
        description="of the meter itself, counted on across its rollovers",
    )
    validated: Energy
    by: str
    reason: str
    decided_at: datetime


class ReadingResponse(BaseModel):
    """An accepted reading: the validated register beside the meter's own."""

    taken_at: datetime
    register_: Energy = Field(alias="register", serialization_alias="register")
    raw: Energy = Field(
        description="the meter's own, counted on across its rollovers; as it was shown, where a "
        "person has decided"
    )
    how: Literal["read", "released", "corrected", "ratio", "sent"] = Field(
        description="`sent`: for a meter that is polled"
    )
    held_id: int | None = Field(description="the held reading that it comes from")
    since_s: int = Field(description="seconds since the reading before, or the opening")
    is_gap: bool = Field(description="whether that is twice the polling interval or more")
