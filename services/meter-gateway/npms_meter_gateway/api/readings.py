"""Readings sent to us instead of fetched."""

from typing import Annotated

from fastapi import APIRouter, Depends

from npms_meter_gateway.api.schemas import ReadingsRequest, ReadingsResponse
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_readings import take_readings
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses

Sender = Annotated[Principal, Depends(require("service", "operator", "admin"))]


def readings_router(recorder: ReadingRecorder) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["readings"])

    @router.post("/readings", operation_id="record_readings", responses=problem_responses())
    async def record_readings(_caller: Sender, body: ReadingsRequest) -> ReadingsResponse:
        """Up to 1,000 readings, of any meters and in any order: judged one by one in the order of
        their moments, stored together. Sending the same again changes nothing.
        """
        sent = [reading.sent() for reading in body.readings]
        return ReadingsResponse.of(body, await take_readings(recorder, sent, source="rest"))

    return router
