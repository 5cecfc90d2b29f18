"""From a service's parts to a running process: REST, worker or both, until SIGTERM."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import text

from npms_shared.db import invariants, migrations
from npms_shared.db.engine import Database
from npms_shared.db.invariants import Rule
from npms_shared.db.tables import forget_old_keys
from npms_shared.loops import Loop, wait_or_stop
from npms_shared.messaging.parked import NOWHERE, Elsewhere
from npms_shared.messaging.subscriptions import Subscription
from npms_shared.messaging.worker import Worker
from npms_shared.observability import metrics
from npms_shared.settings import ServiceSettings
from npms_shared.web.app import health_router
from npms_shared.web.server import Server

HOUSEKEEPING_S = 15.0

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
    elsewhere: Elsewhere = field(default_factory=lambda: NOWHERE)
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


def run(service: Service, *, rest: bool, work: bool) -> None:
    """`serve` on an event loop of its own, until it ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(service, rest=rest, work=work))


async def serve(service: Service, *, rest: bool, work: bool) -> None:
    """Run until SIGTERM or SIGINT, then answer what was asked and finish what is in hand."""
    app = service.app if rest else _health_app(service)
    settings = service.settings
    server = Server(
        uvicorn.Config(
            app, host=settings.host, port=settings.port, log_config=None, access_log=False,
            timeout_graceful_shutdown=10,
        )
    )  # fmt: skip
    worker = make_worker(service, work=work)
    add_checks(app, service, worker)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        """REST first: what its last answers put into the outbox is still relayed."""
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    log.info("service_starts", port=settings.port, rest=rest, work=work)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            group.create_task(_serve_http(server, worker))
    finally:
        for close in (*service.closers, service.database.close):
            await close()
    log.info("service_stopped")


async def _serve_http(server: uvicorn.Server, worker: Worker) -> None:
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
    )


def add_checks(app: FastAPI, service: Service, worker: Worker) -> None:
    """What readiness asks: database, its revision, the broker."""

    async def migrated() -> None:
        at, wanted = await migrations.current(service.database), migrations.head(service.migrations)
        if at != wanted:
            raise RuntimeError(f"schema is at {at or 'nothing'}, {wanted} is needed: run migrate")

    async def broker() -> None:
        if not worker.connected:
            raise RuntimeError("not connected")

    app.state.checks.update(
        {"database": service.database.ping, "migrations": migrated, "broker": broker}
    )


def _health_app(service: Service) -> FastAPI:
    app = FastAPI(title=f"NPMS {service.name} worker", docs_url=None, redoc_url=None)
    app.state.checks = {}
    app.include_router(health_router())
    return app


async def _housekeeping(service: Service, stopping: asyncio.Event) -> None:
    """Every quarter of a minute: what waits, what is parked, whether the rules hold."""
    while not stopping.is_set():
        await _measure(service)
        await invariants.check(service.database, service.rules)
        async with service.database.transaction() as conn:
            await forget_old_keys(conn)
        await wait_or_stop(stopping, HOUSEKEEPING_S)


async def _measure(service: Service) -> None:
    async with service.database.connect() as conn:
        waiting = await conn.execute(text("SELECT count(*) FROM outbox"))
        metrics.OUTBOX_UNPUBLISHED.set(waiting.scalar_one())
        held = await conn.execute(
            text("SELECT count(*) FROM parked_message WHERE state = 'parked'")
        )
        metrics.MESSAGES_PARKED.set(held.scalar_one())
