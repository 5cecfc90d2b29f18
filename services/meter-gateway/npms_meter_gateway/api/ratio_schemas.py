"""Shapes of ratios and of readings beside what was shown."""

import re
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field

from npms_meter_gateway.domain.meters import AcceptedReading, How
from npms_meter_gateway.domain.reckoning import LARGEST_RATIO, DecidedReckoning
from npms_shared.web.schemas import CodedError, Energy, Instant, Reason, Schema

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
    reason: Reason = Field(
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

    @classmethod
    def of(cls, decided: DecidedReckoning) -> Self:
        return cls.model_validate(
            {
                "from": decided.from_at,
                "ratio": f"{decided.ratio:f}",
                "register": Energy.of(decided.raw_wh),
                "validated": Energy.of(decided.base_wh),
                "by": decided.by_subject,
                "reason": decided.reason,
                "decided_at": decided.decided_at,
            }
        )


class ReadingResponse(BaseModel):
    """An accepted reading: the validated register beside the meter's own."""

    taken_at: datetime
    register_: Energy = Field(alias="register", serialization_alias="register")
    raw: Energy = Field(
        description="the meter's own, counted on across its rollovers; as it was shown, where a "
        "person has decided"
    )
    how: How = Field(description="`sent`: for a meter that is polled")
    held_id: int | None = Field(description="the held reading that it comes from")
    since_s: int = Field(description="seconds since the reading before, or the opening")
    is_gap: bool = Field(description="whether that is twice the polling interval or more")

    @classmethod
    def of(cls, reading: AcceptedReading, interval_s: float) -> Self:
        return cls.model_validate(
            {
                "taken_at": reading.taken_at,
                "register": Energy.of(reading.register_wh),
                "raw": Energy.of(reading.raw_wh),
                "how": reading.how,
                "held_id": reading.held_id,
                "since_s": reading.since_s,
                "is_gap": reading.since_s >= 2 * interval_s,
            }
        )
