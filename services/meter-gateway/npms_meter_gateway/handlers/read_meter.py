"""A meter read because a person asked: by whichever process holds its gateway."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_meters import get_meter
from npms_meter_gateway.storage import read_requests
from npms_shared.actor import Actor
from npms_shared.db import audit_trail
from npms_shared.ids import new_id

WITHIN_S = 15.0
ASK_EVERY_S = 0.05


class NotPolled(Exception):
    """Its readings are sent to us, or it is closed."""


class MeterSilent(Exception):
    """The meter gave no usable answer; the text says what came instead."""


class LineDown(Exception):
    """Its gateway cannot be spoken to; the text says why."""


class AddressNotAllowed(Exception):
    """Nothing is opened at its gateway's address; the text says why."""


LINE_DOWN = frozenset({"not_connected", "lapsed", "overdue"})


async def read_meter(
    context: Context, installation_id: int, *, by: Actor, within_s: float = WITHIN_S
) -> Mapping[str, Any]:
    """What the meter showed (`MeterReadResponse` of the REST interface). The request is committed
    before its answer is waited for, so this opens its transactions itself.

    Raises UnknownMeter, NotPolled, MeterSilent, LineDown, AddressNotAllowed.
    """
    request_id = new_id()
    async with context.database.transaction() as conn:
        await _request(conn, context, request_id, installation_id, by=by, within_s=within_s)
    answer = await _await_answer(context, request_id, within_s)
    fault = answer.get("fault")
    if fault is None:
        return answer
    if fault == "not_allowed":
        raise AddressNotAllowed(answer["detail"])
    raise (LineDown if fault in LINE_DOWN else MeterSilent)(answer["detail"])


async def _request(
    conn: AsyncConnection,
    context: Context,
    request_id: UUID,
    installation_id: int,
    *,
    by: Actor,
    within_s: float,
) -> None:
    meter = await get_meter(conn, installation_id)
    if not meter.is_polled:
        raise NotPolled
    await read_requests.add(conn, request_id, installation_id, within_s=within_s)
    await audit_trail.note(
        conn,
        by,
        "meter_read_requested",
        subject=f"installation:{installation_id}",
        now=context.clock.now(),
        after={"request_id": request_id},
    )


async def _await_answer(context: Context, request_id: UUID, within_s: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while True:
        async with context.database.connect() as conn:
            request = await read_requests.find(conn, request_id)
        if request.answer is not None:
            return request.answer
        if loop.time() >= until:
            raise (
                MeterSilent(f"no answer within {within_s:g} s")
                if request.is_taken
                else LineDown("no process speaks to its gateway")
            )
        await asyncio.sleep(ASK_EVERY_S)


async def any_request(conn: AsyncConnection, worker_id: UUID) -> bool:
    """Whether somebody waits for a meter behind a gateway that this worker holds."""
    return await read_requests.any_waiting(conn, worker_id)


async def take_requests(conn: AsyncConnection, worker_id: UUID) -> dict[UUID, int]:
    """The installation of each new request, which is this worker's now."""
    return await read_requests.take(conn, worker_id)


async def answer_request(
    conn: AsyncConnection, request_id: UUID, answer: Mapping[str, Any]
) -> None:
    await read_requests.answer(conn, request_id, json.dumps(answer))
