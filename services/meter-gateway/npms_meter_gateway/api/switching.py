"""An operator lets relays be worked again that are left alone."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_meter_gateway.handlers import decide_supply
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.guard_openings import Openings, get_openings, resume_openings
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId, ReasonRequest


class RestoreSupplyResponse(BaseModel):
    installation_id: int = Field(description="is worked toward what is desired", examples=[1])


class SupplyOpeningsResponse(BaseModel):
    """How many supplies the gateway opened, against the most that it opens within a window."""

    cap: int
    window_s: int = Field(description="real seconds", examples=[3600])
    opened: int = Field(description="within the window, or since they were let go on")
    stopped_at: datetime | None = Field(description="since when none is opened any more")

    @classmethod
    def of(cls, openings: Openings) -> Self:
        return cls.model_validate(openings, from_attributes=True)


def switching_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/restore-supply",
        operation_id="restore_supply",
        responses=problem_responses(404, 409),
    )
    async def restore_supply(
        installation_id: PathId, body: ReasonRequest, caller: Operator
    ) -> RestoreSupplyResponse:
        """Brings a relay that somebody moved by hand back to what is desired. Make sure first that
        nobody works behind it.
        """
        async with context.database.transaction() as conn:
            await decide_supply.restore_supply(
                conn, context, installation_id, by=caller.actor(), reason=body.reason
            )
        return RestoreSupplyResponse(installation_id=installation_id)

    @router.get(
        "/supply-openings", operation_id="get_supply_openings", responses=problem_responses()
    )
    async def get_supply_openings(_caller: Operator) -> SupplyOpeningsResponse:
        """The gateway's own cap on switching supplies off, and how near it is."""
        async with context.database.connect() as conn:
            return SupplyOpeningsResponse.of(await get_openings(conn, context))

    @router.post(
        "/supply-openings/resume",
        operation_id="resume_supply_openings",
        responses=problem_responses(409),
    )
    async def resume_supply_openings(
        body: ReasonRequest, caller: Operator
    ) -> SupplyOpeningsResponse:
        """Lets supplies be opened again, counted afresh. Make sure first that whoever desires so
        many means it.
        """
        async with context.database.transaction() as conn:
            openings = await resume_openings(conn, context, by=caller.actor(), reason=body.reason)
        return SupplyOpeningsResponse.of(openings)

    return router
