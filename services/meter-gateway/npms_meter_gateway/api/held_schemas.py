"""Shapes of held readings."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from npms_meter_gateway.domain.held import HeldDecision, HeldReading, Moment, State
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.get_held import HeldCase
from npms_shared.web.schemas import Energy, Reason, Schema

WHY = "for the record of who decided what"


class CorrectReadingRequest(Schema):
    """What the meter should have shown."""

    register_: Energy = Field(
        alias="register",
        description="the validated register at that time; between its neighbours",
        examples=[{"value": "1250.000", "unit": "kWh"}],
    )
    counts_on: bool | None = Field(
        default=None,
        description="whether the meter counts on from what it showed, so that its later readings "
        "are reckoned from the right register; by default where its register fell",
        examples=[True],
    )
    reason: Reason = Field(description=WHY, examples=["Photo of the display"])


class RejectReadingRequest(Schema):
    """It is not believed, and nothing follows from it."""

    all_of_cause: bool = Field(
        default=False,
        description="with it all of the installation that wait for the same reason",
    )
    reason: Reason = Field(description=WHY, examples=["Gateway mixed up two meters"])


class _HeldReading(BaseModel):
    held_id: int
    installation_id: int
    taken_at: datetime
    register_wh: str = Field(description="as the meter showed it, decimal")
    reason: Verdict
    source: str = Field(examples=["poll"])
    held_at: datetime
    state: State


class HeldReadingResponse(_HeldReading):
    """A reading that was not believed, and why."""

    @classmethod
    def of(cls, reading: HeldReading) -> Self:
        return cls(**_plain(reading))


class HeldDecisionResponse(BaseModel):
    """What was decided; by nobody where a later reading proved it harmless."""

    decision: State
    register_: Energy | None = Field(alias="register", serialization_alias="register")
    by: str | None
    reason: str
    decided_at: datetime

    @classmethod
    def of(cls, decided: HeldDecision) -> Self:
        register_wh = decided.register_wh
        return cls.model_validate(
            {
                "decision": decided.decision,
                "register": None if register_wh is None else Energy.of(register_wh),
                "by": decided.by_subject,
                "reason": decided.reason,
                "decided_at": decided.decided_at,
            }
        )


class ReadingAtResponse(BaseModel):
    taken_at: datetime
    register_: Energy = Field(alias="register", serialization_alias="register")

    @classmethod
    def of(cls, moment: Moment | None) -> "ReadingAtResponse | None":
        if moment is None:
            return None
        at = datetime.fromtimestamp(moment[0], UTC)
        return cls.model_validate({"taken_at": at, "register": Energy.of(moment[1])})


class HeldReadingDetailResponse(_HeldReading):
    """With the accepted readings around it, and what one would expect at its time."""

    before: ReadingAtResponse | None = Field(description="the opening where nothing was read yet")
    after: ReadingAtResponse | None
    estimate: Energy | None = Field(
        description="by the pace of the week before; null without readings to tell it"
    )
    decisions: list[HeldDecisionResponse]

    @classmethod
    def of(cls, case: HeldCase) -> Self:
        return cls(
            **_plain(case.reading),
            before=ReadingAtResponse.of(case.near.before if case.near else None),
            after=ReadingAtResponse.of(case.near.after if case.near else None),
            estimate=None if case.estimate_wh is None else Energy.of(case.estimate_wh),
            decisions=[HeldDecisionResponse.of(decided) for decided in case.history],
        )


def _plain(reading: HeldReading) -> dict[str, Any]:
    return {**asdict(reading), "register_wh": f"{reading.register_wh:f}"}
