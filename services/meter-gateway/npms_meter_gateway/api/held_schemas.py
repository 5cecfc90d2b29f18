"""Shapes of held readings."""

from datetime import UTC, datetime

from pydantic import BaseModel, Field
from sqlalchemy import RowMapping

from npms_meter_gateway.domain.held import Moment, State
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.show_held import Held
from npms_shared.web.schemas import Energy, Line, Schema

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
    reason: Line = Field(description=WHY, examples=["Photo of the display"])


class RejectReadingRequest(Schema):
    """It is not believed, and nothing follows from it."""

    all_of_cause: bool = Field(
        default=False,
        description="with it all of the installation that wait for the same reason",
    )
    reason: Line = Field(description=WHY, examples=["Gateway mixed up two meters"])


class HeldReadingResponse(BaseModel):
    """A reading that was not believed, and why."""

    held_id: int
    installation_id: int
    taken_at: datetime
    register_wh: str = Field(description="as the meter showed it, decimal")
    reason: Verdict
    source: str = Field(examples=["poll"])
    held_at: datetime
    state: State

    @classmethod
    def of(cls, row: RowMapping) -> "HeldReadingResponse":
        return cls.model_validate({**row, "register_wh": f"{row['register_wh']:f}"})


class HeldDecisionResponse(BaseModel):
    """What was decided; by nobody where a later reading proved it harmless."""

    decision: State
    register_: Energy | None = Field(alias="register", serialization_alias="register")
    by: str | None
    reason: str
    decided_at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> "HeldDecisionResponse":
        register_wh = row["register_wh"]
        return cls.model_validate(
            {
                "decision": row["decision"],
                "register": None if register_wh is None else Energy.of(register_wh),
                "by": row["by_subject"],
                "reason": row["reason"],
                "decided_at": row["decided_at"],
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


class HeldReadingDetailResponse(HeldReadingResponse):
    """With the accepted readings around it, and what one would expect at its time."""

    before: ReadingAtResponse | None = Field(description="the opening where nothing was read yet")
    after: ReadingAtResponse | None
    estimate: Energy | None = Field(
        description="by the pace of the week before; null without readings to tell it"
    )
    decisions: list[HeldDecisionResponse]

    @classmethod
    def shown(cls, held: Held) -> "HeldReadingDetailResponse":
        plain = HeldReadingResponse.of(held.row._mapping)
        return cls(
            **plain.model_dump(),
            before=ReadingAtResponse.of(held.near.before if held.near else None),
            after=ReadingAtResponse.of(held.near.after if held.near else None),
            estimate=None if held.estimate_wh is None else Energy.of(held.estimate_wh),
            decisions=[HeldDecisionResponse.of(row._mapping) for row in held.history],
        )
