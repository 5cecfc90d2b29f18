"""Readings sent to us instead of fetched, and those that were not believed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from npms_meter_gateway.api.schemas import (
    BIGINT_MAX,
    ParkedReading,
    ReadingResult,
    ReadingsIn,
    ReadingsResult,
)
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.handlers.show_meters import list_parked_readings
from npms_shared.auth.tokens import Principal
from npms_shared.db.engine import Database
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Page, decode_cursor, encode_cursor

Sender = Annotated[Principal, Depends(require("service", "operator", "admin"))]
Operator = Annotated[Principal, Depends(require("operator", "admin"))]


def readings_router(database: Database, recorder: ReadingRecorder) -> APIRouter:
    router = APIRouter(tags=["readings"])

    @router.post("/readings", operation_id="record_readings", responses=problem_responses())
    async def record(_caller: Sender, body: ReadingsIn) -> ReadingsResult:
        """Judged one by one, stored together; sending the same again changes nothing."""
        items = body.readings
        outcome = await recorder.record_readings(
            Readings(
                [item.installation_id for item in items],
                [int(item.taken_at.timestamp()) for item in items],
                [item.register_wh for item in items],
            ),
            source="rest",
        )
        return ReadingsResult(
            accepted=outcome.accepted,
            results=[
                ReadingResult(
                    installation_id=item.installation_id,
                    result=outcome.others.get(index, Verdict.ACCEPTED),
                )
                for index, item in enumerate(items)
            ],
        )

    @router.get(
        "/parked-readings", operation_id="list_parked_readings", responses=problem_responses()
    )
    async def list_parked(
        _caller: Operator,
        installation_id: int | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Page[ParkedReading]:
        """The newest first."""
        position = decode_cursor(cursor)
        rows = await list_parked_readings(
            database,
            installation_id=installation_id,
            before=int(position[0]) if position else BIGINT_MAX,
            limit=limit,
        )
        items = [
            ParkedReading.model_validate({**row._mapping, "register_wh": str(row.register_wh)})
            for row in rows
        ]
        more = len(items) == limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].parked_id) if more else None)

    return router
