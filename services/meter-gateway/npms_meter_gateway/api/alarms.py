"""What was raised of meters: the alarms that are open, and each meter's history."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row

from npms_meter_gateway.api.alarm_schemas import AlarmResponse, MeterEventResponse
from npms_meter_gateway.domain.event_kinds import severity_of
from npms_meter_gateway.handlers.show_alarms import AlarmView
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import FilterId, Line, PathId

Kind = Annotated[Line | None, Query(description="only of this kind")]


def alarms_router(view: AlarmView) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["alarms"])

    @router.get("/alarms", operation_id="list_alarms", responses=problem_responses())
    async def list_alarms(
        _caller: Operator,
        kind: Kind = None,
        installation_id: FilterId = None,
        gateway_id: FilterId = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[AlarmResponse]:
        """What is open of meters, the newest first."""
        rows = await view.open_alarms(
            kind=kind,
            installation_id=installation_id,
            gateway_id=gateway_id,
            before=id_in(cursor),
            limit=limit + 1,
        )
        page, following = cut(rows, limit, lambda row: row.event_id)
        return Page(items=[AlarmResponse(**_of(row)) for row in page], next_cursor=following)

    @router.get(
        "/meters/{installation_id}/events",
        operation_id="list_meter_events",
        responses=problem_responses(404),
    )
    async def list_events(
        _caller: Operator, installation_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[MeterEventResponse]:
        """All that was ever raised of a meter, the newest first."""
        rows = await view.events(installation_id, before=id_in(cursor), limit=limit + 1)
        if rows is None:
            raise not_found("meter")
        page, following = cut(rows, limit, lambda row: row.event_id)
        return Page(items=[MeterEventResponse(**_of(row)) for row in page], next_cursor=following)

    return router


def _of(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "severity": severity_of(row.kind)}
