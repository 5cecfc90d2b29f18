"""The fleet: gateways and what they are set to, sites, the quality of lines."""

from typing import Annotated

from fastapi import APIRouter, Query

from npms_meter_gateway.api.fleet_schemas import (
    ChangeGatewayRequest,
    FleetResponse,
    GatewayChangeResponse,
    GatewayResponse,
    QualityHourResponse,
)
from npms_meter_gateway.handlers import change_gateway as gateways
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_meters import list_sites
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId

Hours = Annotated[int, Query(ge=1, le=24 * 90, description="how far back")]


def fleet_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["fleet"])
    _add_fleet(router, context)
    _add_gateways(router, context)
    _add_changes(router, context)
    _add_quality(router, context)
    return router


def _add_fleet(router: APIRouter, context: Context) -> None:
    @router.get("/fleet", operation_id="get_fleet", responses=problem_responses())
    async def get_fleet(_caller: Operator) -> FleetResponse:
        """How many meters are reachable, late, held, off against what is desired; by site."""
        async with context.database.connect() as conn:
            return FleetResponse.of(await list_sites(conn, context))


def _add_gateways(router: APIRouter, context: Context) -> None:
    @router.get("/gateways", operation_id="list_gateways", responses=problem_responses())
    async def list_gateways(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[GatewayResponse]:
        """Addresses behind which meters are read, and how those meters are."""
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            found = await gateways.list_gateways(conn, context, after=after, limit=limit + 1)
        page, following = cut(found, limit, lambda gateway: gateway.gateway_id)
        return Page(items=[GatewayResponse.of(gateway) for gateway in page], next_cursor=following)

    @router.get(
        "/gateways/{gateway_id}", operation_id="get_gateway", responses=problem_responses(404)
    )
    async def get_gateway(_caller: Operator, gateway_id: PathId) -> GatewayResponse:
        """A gateway, its settings and how its meters are."""
        async with context.database.connect() as conn:
            return GatewayResponse.of(await gateways.get_gateway(conn, context, gateway_id))

    @router.patch(
        "/gateways/{gateway_id}", operation_id="change_gateway", responses=problem_responses(404)
    )
    async def change_gateway(
        caller: Operator, gateway_id: PathId, body: ChangeGatewayRequest
    ) -> GatewayResponse:
        """Set how it is reached; its line is opened anew."""
        changes = body.model_dump(exclude_none=True)
        async with context.database.transaction() as conn:
            changed = await gateways.change_gateway(
                conn, context, gateway_id, changes, by=caller.actor()
            )
        return GatewayResponse.of(changed)


def _add_changes(router: APIRouter, context: Context) -> None:
    @router.get(
        "/gateways/{gateway_id}/changes",
        operation_id="list_gateway_changes",
        responses=problem_responses(404),
    )
    async def list_gateway_changes(
        _caller: Operator, gateway_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[GatewayChangeResponse]:
        """Who changed what of it, newest first."""
        before = number_in(cursor)
        async with context.database.connect() as conn:
            found = await gateways.list_changes(
                conn, context, gateway_id, before=before, limit=limit + 1
            )
        page, following = cut(found, limit, lambda change: change.change_id)
        items = [GatewayChangeResponse.of(change) for change in page]
        return Page(items=items, next_cursor=following)


def _add_quality(router: APIRouter, context: Context) -> None:
    @router.get(
        "/gateways/{gateway_id}/quality",
        operation_id="list_gateway_quality",
        responses=problem_responses(404),
    )
    async def list_gateway_quality(
        _caller: Operator, gateway_id: PathId, hours: Hours = 24
    ) -> Page[QualityHourResponse]:
        """Answers, timeouts, exceptions and bus time, by the hour; all on one page."""
        async with context.database.connect() as conn:
            found = await gateways.list_quality(conn, context, gateway_id, hours=hours)
        return Page(items=[QualityHourResponse.of(hour) for hour in found])
