"""An operator accepts the meter that answers."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_meter_gateway.handlers import watch_serial
from npms_meter_gateway.handlers.context import Context
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Line, PathId, Reason, Schema


class AcceptSerialRequest(Schema):
    serial_number: Line = Field(
        description="as the meter tells it, see the alarm `serial_changed`", examples=["41185206"]
    )
    reason: Reason = Field(examples=["Exchanged under work order 4711."])


class SerialResponse(BaseModel):
    installation_id: int = Field(examples=[1])
    serial_number: str = Field(description="is believed from now on", examples=["41185206"])


def serials_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.post(
        "/meters/{installation_id}/accept-serial",
        operation_id="accept_serial",
        responses=problem_responses(404, 409),
    )
    async def accept_serial(
        installation_id: PathId, body: AcceptSerialRequest, caller: Operator
    ) -> SerialResponse:
        """The meter that answers is the right one: its readings are judged like any other from now
        on. Those held before stay held until they are decided of.
        """
        async with context.database.transaction() as conn:
            await watch_serial.accept_serial(
                conn,
                context,
                installation_id,
                body.serial_number,
                by=caller.actor(),
                reason=body.reason,
            )
        return SerialResponse(installation_id=installation_id, serial_number=body.serial_number)

    return router
