"""A meter read because a person asked: by whichever process holds its gateway."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from npms_meter_gateway.storage import installations, read_requests
from npms_shared.db.engine import Database
from npms_shared.ids import new_id

WITHIN_S = 15.0
LOOK_EVERY_S = 0.05


class NoSuchMeter(Exception):
    """There is no such installation."""


class NotPolled(Exception):
    """Its readings are sent to us, or it is closed."""


class MeterSilent(Exception):
    """The meter gave no usable answer; the text says what came instead."""


class LineDown(Exception):
    """Its gateway cannot be spoken to; the text says why."""


class AddressNotAllowed(Exception):
    """Nothing is opened at its gateway's address; the text says why."""


LINE_DOWN = frozenset({"not_connected", "lapsed", "overdue"})


@dataclass(frozen=True, slots=True)
class ReadDesk:
    """Passes a request through the database, and waits for its answer."""

    database: Database
    within_s: float = WITHIN_S

    async def read_meter(self, installation_id: int) -> Mapping[str, Any]:
        """What the meter showed (`MeterRead` of the REST interface), or one of the faults above."""
        request_id = new_id()
        async with self.database.transaction() as conn:
            await self._check(await installations.show_meter(conn, installation_id))
            await read_requests.add(conn, request_id, installation_id, within_s=self.within_s)
        answer = await self._await(request_id)
        fault = answer.get("fault")
        if fault is None:
            return answer
        if fault == "not_allowed":
            raise AddressNotAllowed(answer["detail"])
        raise (LineDown if fault in LINE_DOWN else MeterSilent)(answer["detail"])

    async def _check(self, meter: Any) -> None:
        if meter is None:
            raise NoSuchMeter
        if meter.closed_at is not None or not meter.port:
            raise NotPolled

    async def _await(self, request_id: UUID) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.within_s
        while True:
            async with self.database.connect() as conn:
                row = await read_requests.show(conn, request_id)
            if row.answer is not None:
                return dict(row.answer)
            if loop.time() >= until:
                raise (
                    MeterSilent(f"no answer within {self.within_s:g} s")
                    if row.is_taken
                    else LineDown("no process speaks to its gateway")
                )
            await asyncio.sleep(LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class ReadRequests:
    """What is asked of the meters behind the gateways of one worker."""

    database: Database
    worker_id: UUID

    async def take(self) -> dict[UUID, int]:
        """The installation of each new request."""
        async with self.database.connect() as conn:
            if not await read_requests.any_waiting(conn, self.worker_id):
                return {}
        async with self.database.transaction() as conn:
            return await read_requests.take(conn, self.worker_id)

    async def answer(self, request_id: UUID, answer: Mapping[str, Any]) -> None:
        async with self.database.transaction() as conn:
            await read_requests.answer(conn, request_id, json.dumps(answer))
