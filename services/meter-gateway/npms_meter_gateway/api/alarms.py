"""What was raised of meters: the alarms that are open, and each meter's history."""

from typing import Annotated

from fastapi import APIRouter, Query

from npms_meter_gateway.api.alarm_schemas import AlarmResponse, MeterEventResponse
from npms_meter_gateway.domain.alarms import AlarmFilter
from npms_meter_gateway.handlers import list_alarms as alarms
from npms_meter_gateway.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import FilterId, Line, PathId

Kind = Annotated[Line | None, Query(description="only of this kind")]


def alarms_router(context: Context) -> APIRouter:
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
        wanted = AlarmFilter(kind, installation_id, gateway_id)
        async with context.database.connect() as conn:
            found = await alarms.list_alarms(conn, wanted, before=id_in(cursor), limit=limit + 1)
        page, following = cut(found, limit, lambda alarm: alarm.event_id)
        return Page(items=[AlarmResponse.of(alarm) for alarm in page], next_cursor=following)

    @router.get(
        "/meters/{installation_id}/events",
        operation_id="list_meter_events",
        responses=problem_responses(404),
    )
    async def list_meter_events(
        _caller: Operator, installation_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[MeterEventResponse]:
        """All that was ever raised of a meter, the newest first."""
        async with context.database.connect() as conn:
            found = await alarms.list_meter_events(
                conn, installation_id, before=id_in(cursor), limit=limit + 1
            )
        page, following = cut(found, limit, lambda event: event.event_id)
        return Page(items=[MeterEventResponse.of(event) for event in page], next_cursor=following)

    return router
