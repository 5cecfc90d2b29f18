"""One gateway address: a single connection, owned by one task, worked by priority."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import structlog

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.errors import BadAnswer, LinkFault, NotConnected, Refused
from npms_meter_gateway.drivers.modbus.connection import Connection
from npms_meter_gateway.drivers.modbus.pdus import Request
from npms_meter_gateway.drivers.permit import Permit
from npms_meter_gateway.drivers.tally import Tally

RECONNECT = BreakerPolicy(trip_after=1, first_pause_s=1.0, longest_pause_s=60.0)
BUSY_RETRIES = 2
BUSY_PAUSE_S = 0.1

log = structlog.get_logger()


@dataclass(order=True, slots=True)
class _Job:
    priority: Priority
    number: int
    unit: int = field(compare=False)
    request: Request = field(compare=False)
    timeout_s: float = field(compare=False)
    answer: asyncio.Future[tuple[int, ...]] = field(compare=False)


class Bus:
    """Asks units behind one gateway, one request at a time, urgent ones first.

    While the address takes no connection, requests fail at once with
    NotConnected, and one attempt is made after each jittered pause.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        permit: Permit | None = None,
        connect_timeout_s: float = 3.0,
        reconnect: BreakerPolicy = RECONNECT,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.gateway = gateway
        self._permit = permit or Permit()
        self._connect_timeout_s = connect_timeout_s
        self._jitter = jitter
        self.tally = Tally()
        self._breaker = Breaker(reconnect)
        self._jobs: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue()
        self._numbers = count()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_down(self) -> bool:
        """Whether the last attempt to connect failed."""
        return self._breaker.is_open

    async def ask(
        self, unit: int, request: Request, *, timeout_s: float, priority: Priority
    ) -> tuple[int, ...]:
        """The registers or coils asked for, or nothing for a write; raises a LinkFault.

        `timeout_s` runs from the moment the request is sent, not while it waits
        for its turn. A write is never repeated here: read back first.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"bus {self.gateway.name}")
        answer: asyncio.Future[tuple[int, ...]] = asyncio.get_running_loop().create_future()
        job = _Job(priority, next(self._numbers), unit, request, timeout_s, answer)
        self._jobs.put_nowait(job)
        return await answer

    async def close(self) -> None:
        """Stop; requests that still wait fail with NotConnected."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._drop_connection()
        while not self._jobs.empty():
            _settle(self._jobs.get_nowait(), NotConnected("closed"))

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            if job.answer.done():
                continue
            try:
                _settle(job, await self._do(job))
            except LinkFault as fault:
                _settle(job, fault)
            except Exception as fault:
                log.exception("bus_failed", gateway=self.gateway.name)
                self._drop_connection()
                _settle(job, BadAnswer(repr(fault)))
            except asyncio.CancelledError:
                _settle(job, NotConnected("closed"))
                raise

    async def _do(self, job: _Job) -> tuple[int, ...]:
        for _ in range(BUSY_RETRIES):
            try:
                return await self._ask_once(job)
            except Refused as fault:
                if not fault.is_busy:
                    raise
            await asyncio.sleep(BUSY_PAUSE_S)
        return await self._ask_once(job)

    async def _ask_once(self, job: _Job) -> tuple[int, ...]:
        connection = await self._connected()
        self._permit.check()
        loop = asyncio.get_running_loop()
        began, fault = loop.time(), None
        try:
            return await connection.ask(job.unit, job.request, timeout_s=job.timeout_s)
        except LinkFault as found:
            fault = found
            raise
        finally:
            self.tally.count(loop.time() - began, fault)

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.is_open:
            return self._connection
        now = asyncio.get_running_loop().time()
        if not self._breaker.allows(now):
            raise NotConnected(
                f"{self.gateway.name} did not answer; waiting to try again", self._breaker.closed_to
            )
        await self._permit.connect()
        try:
            self._connection = await Connection.open(
                self.gateway.host, self.gateway.port, timeout_s=self._connect_timeout_s
            )
        except NotConnected as fault:
            self._breaker.fail(asyncio.get_running_loop().time(), self._jitter())
            fault.until = self._breaker.closed_to
            raise
        self._breaker.succeed()
        return self._connection


def _settle(job: _Job, outcome: tuple[int, ...] | LinkFault) -> None:
    if job.answer.done():
        return
    if isinstance(outcome, LinkFault):
        job.answer.set_exception(outcome)
    else:
        job.answer.set_result(outcome)
