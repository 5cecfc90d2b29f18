"""The fleet: gateways and what they are set to, sites, the quality of lines."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row

from npms_meter_gateway.api.fleet_schemas import (
    ChangeGatewayRequest,
    FleetResponse,
    GatewayChangeResponse,
    GatewayResponse,
    GatewaySettings,
    MeterCountsResponse,
    QualityHourResponse,
    SiteResponse,
)
from npms_meter_gateway.domain.gateway import own_pause_ms
from npms_meter_gateway.handlers.show_fleet import FleetView
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import PathId

Hours = Annotated[int, Query(ge=1, le=24 * 90, description="how far back")]
HOUR_MS = 3_600_000


def fleet_router(view: FleetView) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["fleet"])
    _add_fleet(router, view)
    _add_gateways(router, view)
    _add_changes(router, view)
    _add_quality(router, view)
    return router


def _add_fleet(router: APIRouter, view: FleetView) -> None:
    @router.get("/fleet", operation_id="get_fleet", responses=problem_responses())
    async def show_fleet(_caller: Operator) -> FleetResponse:
        """How many meters are reachable, late, held, off against what is desired; by site."""
        rows = await view.sites()
        sites = [
            SiteResponse(site=row.site, gateways=row.gateways, counts=_counts(row)) for row in rows
        ]
        return FleetResponse(total=_total(sites), sites=sites)


def _add_gateways(router: APIRouter, view: FleetView) -> None:
    @router.get("/gateways", operation_id="list_gateways", responses=problem_responses())
    async def list_gateways(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[GatewayResponse]:
        """Addresses behind which meters are read, and how those meters are."""
        rows = await view.gateways(after=number_in(cursor) or 0, limit=limit + 1)
        page, following = cut(rows, limit, lambda row: row.gateway_id)
        return Page(items=[_gateway(row) for row in page], next_cursor=following)

    @router.get(
        "/gateways/{gateway_id}", operation_id="get_gateway", responses=problem_responses(404)
    )
    async def show_gateway(_caller: Operator, gateway_id: PathId) -> GatewayResponse:
        """A gateway, its settings and how its meters are."""
        return await _shown(view, gateway_id)

    @router.patch(
        "/gateways/{gateway_id}", operation_id="change_gateway", responses=problem_responses(404)
    )
    async def change_gateway(
        caller: Operator, gateway_id: PathId, body: ChangeGatewayRequest
    ) -> GatewayResponse:
        """Set how it is reached; its line is opened anew."""
        changes = body.model_dump(exclude_none=True)
        await view.change(gateway_id, changes, by=caller.subject)
        return await _shown(view, gateway_id)


def _add_changes(router: APIRouter, view: FleetView) -> None:
    @router.get(
        "/gateways/{gateway_id}/changes",
        operation_id="list_gateway_changes",
        responses=problem_responses(404),
    )
    async def list_changes(
        _caller: Operator, gateway_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[GatewayChangeResponse]:
        """Who changed what of it, newest first."""
        await _shown(view, gateway_id)
        rows = await view.changes(gateway_id, before=number_in(cursor), limit=limit + 1)
        page, following = cut(rows, limit, lambda row: row.change_id)
        items = [GatewayChangeResponse.model_validate(row, from_attributes=True) for row in page]
        return Page(items=items, next_cursor=following)


def _add_quality(router: APIRouter, view: FleetView) -> None:
    @router.get(
        "/gateways/{gateway_id}/quality",
        operation_id="get_gateway_quality",
        responses=problem_responses(404),
    )
    async def show_quality(
        _caller: Operator, gateway_id: PathId, hours: Hours = 24
    ) -> Page[QualityHourResponse]:
        """Answers, timeouts, exceptions and bus time, by the hour."""
        await _shown(view, gateway_id)
        hourly = await view.quality(gateway_id, hours=hours)
        return Page(items=[_hour(row) for row in hourly])


async def _shown(view: FleetView, gateway_id: int) -> GatewayResponse:
    row = await view.gateway(gateway_id)
    if row is None:
        raise not_found("gateway")
    return _gateway(row)


def _gateway(row: Row[Any]) -> GatewayResponse:
    settings = {name: getattr(row, name) for name in GatewaySettings.model_fields}
    if row.pause_ms is None:
        settings["pause_ms"] = own_pause_ms(row.transport, row.baud)
    return GatewayResponse(
        gateway_id=row.gateway_id, host=row.host, port=row.port, counts=_counts(row), **settings
    )


def _counts(row: Row[Any]) -> MeterCountsResponse:
    return MeterCountsResponse(
        **{name: getattr(row, name) for name in MeterCountsResponse.model_fields}
    )


def _total(sites: list[SiteResponse]) -> MeterCountsResponse:
    return MeterCountsResponse(
        **{
            name: sum(getattr(site.counts, name) for site in sites)
            for name in MeterCountsResponse.model_fields
        }
    )


def _hour(row: Row[Any]) -> QualityHourResponse:
    return QualityHourResponse(**row._mapping, bus_share=round(row.busy_ms / HOUR_MS, 6))
