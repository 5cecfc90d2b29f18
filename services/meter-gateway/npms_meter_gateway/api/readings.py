"""Readings sent to us instead of fetched."""

from typing import Annotated

from fastapi import APIRouter, Depends

from npms_meter_gateway.api.schemas import (
    ReadingRequest,
    ReadingResultResponse,
    ReadingsRequest,
    ReadingsResponse,
)
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.take_readings import Given, ReadingDesk
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses

Sender = Annotated[Principal, Depends(require("service", "operator", "admin"))]


def readings_router(desk: ReadingDesk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["readings"])

    @router.post("/readings", operation_id="record_readings", responses=problem_responses())
    async def record(_caller: Sender, body: ReadingsRequest) -> ReadingsResponse:
        """Up to 1,000 readings, of any meters and in any order: judged one by one in the order of
        their moments, stored together. Sending the same again changes nothing.
        """
        taken = await desk.take([_given(item) for item in body.readings], source="rest")
        return ReadingsResponse(
            accepted=taken.accepted,
            results=[
                ReadingResultResponse(
                    installation_id=installation_id,
                    serial=item.serial,
                    result=verdict,
                    reason=WORDS[verdict],
                )
                for item, installation_id, verdict in zip(
                    body.readings, taken.installation_ids, taken.verdicts, strict=True
                )
            ],
        )

    return router


def _given(item: ReadingRequest) -> Given:
    meter = item.serial if item.installation_id is None else item.installation_id
    assert meter is not None
    return Given(meter, int(item.taken_at.timestamp()), item.register_wh)
