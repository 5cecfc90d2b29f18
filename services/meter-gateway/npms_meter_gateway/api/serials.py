"""An operator accepts the meter that answers."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_meter_gateway.handlers.show_alarms import AlarmView
from npms_meter_gateway.handlers.watch_serial import SerialDesk
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import Line, PathId, Schema


class AcceptSerialRequest(Schema):
    serial_number: Line = Field(
        description="as the meter tells it, see the alarm `serial_changed`", examples=["41185206"]
    )
    reason: Line = Field(examples=["Exchanged under work order 4711."])


class SerialResponse(BaseModel):
    installation_id: int = Field(examples=[1])
    serial_number: str = Field(description="is believed from now on", examples=["41185206"])


def serials_router(view: AlarmView, desk: SerialDesk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/accept-serial",
        operation_id="accept_serial",
        responses=problem_responses(404, 409),
    )
    async def accept(
        installation_id: PathId, body: AcceptSerialRequest, caller: Operator
    ) -> SerialResponse:
        """The meter that answers is the right one: its readings are judged like any other from now
        on. Those held before stay held until they are decided of.
        """
        if not await view.is_known(installation_id):
            raise not_found("meter")
        await desk.accept(
            installation_id, body.serial_number, by=caller.subject, reason=body.reason
        )
        return SerialResponse(installation_id=installation_id, serial_number=body.serial_number)

    return router
