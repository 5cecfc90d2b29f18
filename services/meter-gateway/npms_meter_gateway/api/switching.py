"""An operator lets relays be worked again that are left alone."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_meter_gateway.handlers.decide_supply import SupplyDesk
from npms_meter_gateway.handlers.guard_openings import OpeningGuard
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


def switching_router(desk: SupplyDesk, guard: OpeningGuard) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/restore-supply",
        operation_id="restore_supply",
        responses=problem_responses(404, 409),
    )
    async def restore(
        installation_id: PathId, body: ReasonRequest, caller: Operator
    ) -> RestoreSupplyResponse:
        """Brings a relay that somebody moved by hand back to what is desired. Make sure first that
        nobody works behind it.
        """
        await desk.restore(installation_id, by=caller.subject, reason=body.reason)
        return RestoreSupplyResponse(installation_id=installation_id)

    @router.get(
        "/supply-openings", operation_id="get_supply_openings", responses=problem_responses()
    )
    async def openings(_caller: Operator) -> SupplyOpeningsResponse:
        """The gateway's own cap on switching supplies off, and how near it is."""
        return SupplyOpeningsResponse(**asdict(await guard.show()))

    @router.post(
        "/supply-openings/resume",
        operation_id="resume_supply_openings",
        responses=problem_responses(409),
    )
    async def resume(body: ReasonRequest, caller: Operator) -> SupplyOpeningsResponse:
        """Lets supplies be opened again, counted afresh. Make sure first that whoever desires so
        many means it.
        """
        await guard.resume(by=caller.subject, reason=body.reason)
        return SupplyOpeningsResponse(**asdict(await guard.show()))

    return router
