"""Readings sent to us instead of fetched, and those that were not believed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import Row

from npms_meter_gateway.api.schemas import (
    ParkedReading,
    ReadingIn,
    ReadingResult,
    ReadingsIn,
    ReadingsResult,
)
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.show_meters import list_parked_readings
from npms_meter_gateway.handlers.take_readings import Given, ReadingDesk
from npms_shared.auth.tokens import Principal
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator, require
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import MAX_ID, FilterId

Sender = Annotated[Principal, Depends(require("service", "operator", "admin"))]


def readings_router(database: Database, desk: ReadingDesk) -> APIRouter:
    router = APIRouter(tags=["readings"])
    _add_recording(router, desk)
    _add_parked(router, database)
    return router


def _add_recording(router: APIRouter, desk: ReadingDesk) -> None:
    @router.post("/readings", operation_id="record_readings", responses=problem_responses())
    async def record(_caller: Sender, body: ReadingsIn) -> ReadingsResult:
        """Up to 1,000 readings, of any meters and in any order: judged one by one in the order of
        their moments, stored together. Sending the same again changes nothing.
        """
        taken = await desk.take([_given(item) for item in body.readings], source="rest")
        return ReadingsResult(
            accepted=taken.accepted,
            results=[
                ReadingResult(
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


def _given(item: ReadingIn) -> Given:
    meter = item.serial if item.installation_id is None else item.installation_id
    assert meter is not None
    return Given(meter, int(item.taken_at.timestamp()), item.register_wh)


def _add_parked(router: APIRouter, database: Database) -> None:
    @router.get(
        "/parked-readings", operation_id="list_parked_readings", responses=problem_responses()
    )
    async def list_parked(
        _caller: Operator,
        installation_id: FilterId = None,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Page[ParkedReading]:
        """The newest first."""
        before = number_in(cursor) or MAX_ID
        async with database.connect() as conn:
            rows = await list_parked_readings(
                conn, installation_id=installation_id, before=before, limit=limit + 1
            )
        page, following = cut(rows, limit, lambda row: row.parked_id)
        return Page(items=[_parked(row) for row in page], next_cursor=following)


def _parked(row: Row[Any]) -> ParkedReading:
    return ParkedReading.model_validate({**row._mapping, "register_wh": str(row.register_wh)})
