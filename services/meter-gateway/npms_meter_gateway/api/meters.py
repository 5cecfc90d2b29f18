"""Meters as the gateway knows them, and the profiles it can read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from npms_meter_gateway.api.schemas import MeterResponse, ProfileResponse
from npms_meter_gateway.domain.meters import LinkState, MeterFilter
from npms_meter_gateway.handlers import list_meters as meters
from npms_meter_gateway.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import FilterId, Line, PathId

Staff = Annotated[Principal, Depends(require("operator", "admin", "service"))]


def meters_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.get("/meters", operation_id="list_meters", responses=problem_responses())
    async def list_meters(
        _caller: Staff,
        wanted: Annotated[MeterFilter, Depends(_wanted)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[MeterResponse]:
        """In the order of their installations."""
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            found = await meters.list_meters(conn, context, wanted, after=after, limit=limit + 1)
        page, following = cut(found, limit, lambda meter: meter.installation_id)
        return Page(items=[MeterResponse.of(meter) for meter in page], next_cursor=following)

    @router.get(
        "/meters/{installation_id}", operation_id="get_meter", responses=problem_responses(404)
    )
    async def get_meter(_caller: Staff, installation_id: PathId) -> MeterResponse:
        """A meter, what it last showed, and its supply as desired and as seen."""
        async with context.database.connect() as conn:
            return MeterResponse.of(await meters.get_meter(conn, installation_id))

    @router.get("/profiles", operation_id="list_profiles", responses=problem_responses())
    async def list_profiles(_caller: Staff) -> Page[ProfileResponse]:
        """Device types, with the confidence of each source of their register maps; all on one
        page.
        """
        return Page(items=[ProfileResponse.of(profile) for profile in context.profiles.values()])

    return router


async def _wanted(
    serial: Annotated[Line | None, Query(description="only the meter of this number")] = None,
    link: Annotated[LinkState | None, Query(description="only those whose link is so")] = None,
    gateway_id: FilterId = None,
    late: Annotated[bool, Query(description="only those not seen for three intervals")] = False,  # noqa: FBT002
    against_desired: Annotated[  # noqa: FBT002
        bool, Query(description="only those on that should be off, or off that should be on")
    ] = False,
) -> MeterFilter:
    return MeterFilter(serial, link, gateway_id, late, against_desired)
