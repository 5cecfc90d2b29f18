"""A meter's state as a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse

from npms_meter_gateway.api.schemas import MeterResponse
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_meters import get_meter
from npms_meter_gateway.handlers.watch_meters import MeterWatch, Newest, TooManyWatchers
from npms_shared.web.principals import Operator
from npms_shared.web.problems import Problem, problem_responses
from npms_shared.web.schemas import PathId

LONGEST_S = 900.0
"""A stream ends then, so that nobody watches on with a token long out of date."""


def live_router(context: Context, watch: MeterWatch) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    async def watched(_caller: Operator, installation_id: PathId) -> AsyncIterator[Newest]:
        async with context.database.connect() as conn:
            await get_meter(conn, installation_id)
        try:
            async with watch.watch(installation_id) as newest:
                yield newest
        except TooManyWatchers:
            raise Problem(
                503, "too_many_watchers", "Try again later, or ask now and then."
            ) from None

    @router.get(
        "/meters/{installation_id}/live",
        operation_id="watch_meter",
        response_class=EventSourceResponse,
        responses=problem_responses(404, 503),
    )
    async def watch_meter(
        newest: Annotated[Newest, Depends(watched)],
    ) -> AsyncIterator[MeterResponse]:
        """The meter as `GET /meters/{installation_id}` shows it: now, and after every change.

        The stream ends after a quarter of an hour: connect again.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + LONGEST_S
        while (left_s := ends - loop.time()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    meter = await newest.get()
            except TimeoutError:
                return
            yield MeterResponse.of(meter)

    return router
