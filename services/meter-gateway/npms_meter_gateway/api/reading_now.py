"""Reading a meter now, because somebody asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers import read_meter as reads
from npms_meter_gateway.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import PathId

Staff = Annotated[Principal, Depends(require("operator", "admin", "service"))]


class MeterReadResponse(BaseModel):
    """What a meter showed a moment ago."""

    installation_id: int = Field(examples=[1])
    seen_at: datetime
    register_wh: int | None = Field(
        description="the cumulative import register, cut down to the whole Wh", examples=[1250000]
    )
    reading: Verdict | None = Field(
        description="what became of it as a reading", examples=["accepted"]
    )
    relay: Literal["on", "off", "unknown"] | None = Field(examples=["on"])
    values: dict[str, str] = Field(
        description="every point it serves, exact, in the unit of its name",
        examples=[{"energy_import_wh": "1250000", "power_w": "640", "voltage_v": "229.7"}],
    )

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        return cls.model_validate(answer)


def reading_now_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/read",
        operation_id="read_meter",
        dependencies=[COSTLY],
        responses=problem_responses(404, 409, 503, 504),
    )
    async def read_meter(caller: Staff, installation_id: PathId) -> MeterReadResponse:
        """Ahead of all polls, answered when the meter has answered; it is recorded as a reading.

        503 says that its gateway cannot be spoken to, 504 that the meter does not answer.
        """
        answer = await reads.read_meter(context, installation_id, by=caller.actor())
        return MeterReadResponse.of(answer)

    return router
