"""An operator lets relays be worked again that are left alone."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_meter_gateway.handlers.decide_supply import SupplyDesk
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Line, PathId, Schema


class RestoreSupplyIn(Schema):
    reason: Line = Field(examples=["The electrician has left, work order 4711."])


class RestoreSupplyOut(BaseModel):
    installation_id: int = Field(description="is worked toward what is desired", examples=[1])


def switching_router(desk: SupplyDesk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/restore-supply",
        operation_id="restore_supply",
        responses=problem_responses(404, 409),
    )
    async def restore(
        installation_id: PathId, body: RestoreSupplyIn, caller: Operator
    ) -> RestoreSupplyOut:
        """Brings a relay that somebody moved by hand back to what is desired. Make sure first that
        nobody works behind it.
        """
        await desk.restore(installation_id, by=caller.subject, reason=body.reason)
        return RestoreSupplyOut(installation_id=installation_id)

    return router
