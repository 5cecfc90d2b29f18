"""From a service's parts to a running process: REST, worker or both, until SIGTERM."""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
import uvloop
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db import invariants
from npms_shared.db.engine import Database
from npms_shared.db.invariants import Rule
from npms_shared.db.migrations import check_fit
from npms_shared.db.tables import (
    OUTBOX_COUNT,
    PARKED_COUNT,
    UNROUTABLE_COUNT,
    forget_old_keys,
)
from npms_shared.loops import Loop, wait_or_stop
from npms_shared.messaging.parked import BROKER_ONLY, Reappliers
from npms_shared.messaging.subscriptions import Subscription
from npms_shared.messaging.telling import Facts
from npms_shared.messaging.worker import Worker
from npms_shared.observability import metrics
from npms_shared.settings import ServiceSettings
from npms_shared.web.health import internal_app
from npms_shared.web.server import Server, make_server

HOUSEKEEPING_S = 15.0
FORGETTING_TURNS = 40
"""Every ten minutes."""

log = structlog.get_logger()


@dataclass(slots=True)
class Service:
    """A service's parts, put together by its bootstrap.py."""

    name: str
    settings: ServiceSettings
    database: Database
    app: FastAPI
    migrations: Path
    subscriptions: list[Subscription] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    """Run by the worker until their event is set."""
    rules: Sequence[Rule] = ()
    reappliers: Reappliers = field(default_factory=lambda: BROKER_ONLY)
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    facts: Facts | None = None
    """What others keep a copy of, to be told again after a database was restored."""
    go_on: Callable[[AsyncConnection, int], Awaitable[None]] | None = None
    """What else skips numbers when this service's own database was."""


def run(service: Service, *, rest: bool, work: bool) -> None:
    """`serve` on an event loop of its own, until it ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(service, rest=rest, work=work))


async def serve(service: Service, *, rest: bool, work: bool) -> None:
    """Run until SIGTERM or SIGINT, then answer what was asked and finish what is in hand."""
    worker = make_worker(service, work=work)
    add_checks(service.app, service, worker, work=work)
    internal = _internal_server(service)
    public = _public_server(service) if rest else None
    if public is not None:
        service.app.state.checks["rest"] = partial(_check_started, public)
    servers = [server for server in (public, internal) if server is not None]
    _stop_on_signals(public, worker)
    log.info("service_starts", port=service.settings.port, rest=rest, work=work)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_work(worker, servers))
            for server in servers:
                group.create_task(_serve_http(server, worker))
    finally:
        for close in (*service.closers, service.database.close):
            await close()
    log.info("service_stopped")


def _public_server(service: Service) -> Server:
    settings = service.settings
    return make_server(
        service.app,
        host=settings.host,
        port=settings.port,
        header_timeout_s=settings.header_timeout_s,
        trusted_proxies=settings.trusted_proxies,
    )


async def _check_started(public: Server) -> None:
    if not public.started:
        raise RuntimeError("not listening")


def _internal_server(service: Service) -> Server:
    """Of every process; a worker has no other."""
    app = internal_app(service.name, service.app.state.checks)
    settings = service.settings
    return make_server(app, host=settings.internal_host, port=settings.internal_port)


def _stop_on_signals(public: Server | None, worker: Worker) -> None:
    def stop() -> None:
        """REST first: what its last answers put into the outbox is still relayed."""
        if public is None:
            worker.stop()
        else:
            public.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _work(worker: Worker, servers: Sequence[Server]) -> None:
    """The worker ends last; no server outlives it."""
    try:
        await worker.run()
    finally:
        for server in servers:
            server.should_exit = True


async def _serve_http(server: Server, worker: Worker) -> None:
    """A server that ends, for whatever reason, ends the process."""
    try:
        await server.serve()
    finally:
        worker.stop()


def make_worker(service: Service, *, work: bool) -> Worker:
    """With `work` off it only relays what REST put into the outbox."""
    settings = service.settings
    return Worker(
        service=service.name,
        database=service.database,
        amqp_url=settings.amqp_url.get_secret_value(),
        subscriptions=service.subscriptions if work else [],
        loops=[*service.loops, partial(_housekeeping, service)] if work else [],
        partitions=settings.partitions,
        partition_concurrency=settings.partition_concurrency,
        trusted_users=settings.trusted_users(),
        fits=partial(check_fit, service.database, service.migrations),
    )


def add_checks(app: FastAPI, service: Service, worker: Worker, *, work: bool) -> None:
    """What readiness asks. REST needs its database only: what it says waits in the outbox."""

    async def broker() -> None:
        if not worker.connected:
            raise RuntimeError("not connected")

    async def working() -> None:
        if misfit := service.database.misfit:
            raise RuntimeError(f"waits for the schema: {misfit}")

    app.state.checks["database"] = service.database.ping
    app.state.checks["schema"] = partial(check_fit, service.database, service.migrations)
    if work:
        app.state.checks.update({"broker": broker, "work": working})


async def _housekeeping(service: Service, stopping: asyncio.Event) -> None:
    """What waits, what is parked, whether the rules hold; and what may be forgotten."""
    turns = itertools.cycle(range(FORGETTING_TURNS))
    while not stopping.is_set():
        await measure(service.database)
        await invariants.check(service.database, service.rules)
        if next(turns) == 0:
            await _forget(service.database, stopping)
        await wait_or_stop(stopping, HOUSEKEEPING_S)


async def _forget(database: Database, stopping: asyncio.Event) -> None:
    """A part at a time, so that nobody waits for a long transaction."""
    more = True
    while more and not stopping.is_set():
        async with database.transaction() as conn:
            more = await forget_old_keys(conn)


async def measure(database: Database) -> None:
    """Set the gauges of what waits for the broker or for a person."""
    gauges = {
        OUTBOX_COUNT: metrics.OUTBOX_UNPUBLISHED,
        PARKED_COUNT: metrics.MESSAGES_PARKED,
        UNROUTABLE_COUNT: metrics.OUTBOX_UNROUTABLE,
    }
    async with database.connect() as conn:
        for query, gauge in gauges.items():
            gauge.set((await conn.execute(text(query))).scalar_one())
