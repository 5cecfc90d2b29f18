"""Reads that people ask for: ahead of all polls, and through the breaker of the unit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.profile import ENERGY, LOAD_LIMIT, RELAY
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.handlers.read_meter import answer_request, any_request, take_requests
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.polling.unit import Unit

POLL_EVERY_S = 0.1
EXACT = Context(prec=60)

log = structlog.get_logger()


@dataclass(slots=True)
class OnDemand:
    """Takes requests, reads every point, records the reading, and answers."""

    worker_id: UUID
    unit_of: Callable[[int], Unit | None]
    recorder: ReadingRecorder
    saw: Callable[[MeterSight], Awaitable[None]]
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled; a line answers one after the other, so nothing here needs to wait."""
        while True:
            for request_id, installation_id in (await self._take()).items():
                task = asyncio.create_task(self._answer(request_id, installation_id))
                self._busy.add(task)
                task.add_done_callback(self._busy.discard)
            await asyncio.sleep(POLL_EVERY_S)

    async def _take(self) -> dict[UUID, int]:
        """A transaction only where somebody waits."""
        database = self.recorder.context.database
        async with database.connect() as conn:
            if not await any_request(conn, self.worker_id):
                return {}
        async with database.transaction() as conn:
            return await take_requests(conn, self.worker_id)

    async def _answer(self, request_id: UUID, installation_id: int) -> None:
        try:
            answer = await self._read(installation_id)
            outcome = "ok"
        except LinkFault as fault:
            answer, outcome = {"fault": fault.cause, "detail": str(fault)}, fault.cause
        except Exception as fault:
            log.exception("reading_on_demand_failed", installation_id=installation_id)
            answer, outcome = {"fault": "failed", "detail": repr(fault)}, "failed"
        metrics.POLLS.labels(outcome=outcome).inc()
        async with self.recorder.context.database.transaction() as conn:
            await answer_request(conn, request_id, answer)

    async def _read(self, installation_id: int) -> dict[str, Any]:
        unit = self.unit_of(installation_id)
        if unit is None:
            return {"fault": "not_connected", "detail": "its gateway is being handed over"}
        names = frozenset(unit.profile.points) | {RELAY, LOAD_LIMIT}
        answer = await unit.poll(names, Priority.ON_DEMAND, probe=True)
        seen_at = self.recorder.context.clock.now()
        verdict = await self._record(installation_id, int(seen_at.timestamp()), answer)
        recorded = replace(answer, values=_without_register(answer.values))
        await self.saw(MeterSight(installation_id, seen_at, recorded, answer.values))
        return {
            "installation_id": installation_id,
            "seen_at": seen_at.isoformat(),
            "register_wh": answer.register_wh,
            "reading": verdict,
            "relay": answer.relay,
            "values": exact_values(answer.values),
        }

    async def _record(self, installation_id: int, at_s: int, answer: MeterAnswer) -> str | None:
        if answer.register_wh is None:
            return None
        readings = Readings([installation_id], [at_s], [answer.register_wh])
        outcome = await self.recorder.record_readings(readings, source="on_demand")
        return outcome.others.get(0, Verdict.ACCEPTED).value


def _without_register(values: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """A register that is recorded already comes to nobody twice."""
    return {name: value for name, value in values.items() if name != ENERGY}


def exact_values(values: Mapping[str, Fraction]) -> dict[str, str]:
    """Decimal texts, without rounding: registers times decimal scales, or binary fractions."""
    return {name: _decimal(value) for name, value in sorted(values.items())}


def _decimal(value: Fraction) -> str:
    return f"{EXACT.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
