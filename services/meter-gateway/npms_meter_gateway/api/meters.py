"""Meters as the gateway knows them, and the profiles it can read."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row

from npms_meter_gateway.api.schemas import (
    DesiredSupplyResponse,
    LastReadingResponse,
    LinkResponse,
    LinkState,
    MeterResponse,
    ProfileResponse,
    ReportedSupplyResponse,
    SourceResponse,
    SupplyResponse,
)
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.handlers.show_fleet import FleetView, MeterFilter
from npms_meter_gateway.handlers.show_meters import show_meter
from npms_shared.auth.tokens import Principal
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import require
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import Energy, FilterId, Line, PathId

Staff = Annotated[Principal, Depends(require("operator", "admin", "service"))]


def meters_router(
    database: Database, profiles: Mapping[str, Profile], view: FleetView
) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.get("/meters", operation_id="list_meters", responses=problem_responses())
    async def list_all(
        _caller: Staff,
        wanted: Annotated[MeterFilter, Depends(_wanted)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[MeterResponse]:
        """In the order of their installations."""
        rows = await view.meters(wanted, after=number_in(cursor) or 0, limit=limit + 1)
        page, following = cut(rows, limit, lambda row: row.installation_id)
        return Page(items=[meter_of(row) for row in page], next_cursor=following)

    @router.get(
        "/meters/{installation_id}", operation_id="get_meter", responses=problem_responses(404)
    )
    async def show(_caller: Staff, installation_id: PathId) -> MeterResponse:
        """A meter, what it last showed, and its supply as desired and as seen."""
        async with database.connect() as conn:
            row = await show_meter(conn, installation_id)
        if row is None:
            raise not_found("meter")
        return meter_of(row)

    @router.get("/profiles", operation_id="list_profiles", responses=problem_responses())
    async def list_profiles(_caller: Staff) -> Page[ProfileResponse]:
        """Device types, with the confidence of each source of their register maps."""
        return Page(items=[_profile(profile) for profile in profiles.values()])

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


def meter_of(row: Row[Any]) -> MeterResponse:
    """The meter that a row of the storage shows."""
    return MeterResponse(
        **{name: getattr(row, name) for name in _PLAIN},
        link=LinkResponse(state=row.link, since=row.link_since),
        last_reading=_last_reading(row),
        supply=_supply(row),
    )


_PLAIN = (
    "installation_id", "account_id", "serial", "profile", "host", "port", "unit_id", "opened_at",
    "closed_at", "seen_at", "power_w", "voltage_mv", "relay",
)  # fmt: skip


def _last_reading(row: Row[Any]) -> LastReadingResponse | None:
    if row.taken_at is None:
        return None
    return LastReadingResponse(taken_at=row.taken_at, register=Energy.of(row.register_wh))


def _supply(row: Row[Any]) -> SupplyResponse | None:
    if row.desired_state is None:
        return None
    reported = None
    if row.reported_state is not None:
        reported = ReportedSupplyResponse(
            state=row.reported_state,
            revision=row.reported_revision,
            verified=row.reported_verified,
            limit_w=row.reported_limit_w,
            reported_at=row.reported_at,
        )
    desired = DesiredSupplyResponse(
        state=row.desired_state,
        revision=row.desired_revision,
        reason=row.desired_reason,
        limit_w=row.desired_limit_w,
    )
    return SupplyResponse(
        desired=desired,
        reported=reported,
        settled=row.settled,
        awaits=row.awaits,
        suspended_since=row.suspended_since,
        blocked_by=row.blocked_by,
    )


def _profile(profile: Profile) -> ProfileResponse:
    return ProfileResponse(
        profile=profile.code,
        vendor=profile.vendor,
        model=profile.model,
        aliases=list(profile.aliases),
        driver=profile.driver,
        confidence=profile.confidence,
        is_certain=profile.is_certain,
        notes=profile.notes,
        has_relay=profile.is_switched,
        can_limit=profile.load_limit is not None,
        points=sorted(profile.points),
        resolution_wh=profile.resolution_wh,
        sources=[SourceResponse(what=s.what, confidence=s.confidence) for s in profile.sources],
    )
