"""From a service's parts to its processes: run, api, worker, migrate, parked …"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import structlog
import typer
import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import make_url, text

from npms_shared.clock import clock_from_environment
from npms_shared.db import invariants, migrations
from npms_shared.db.engine import Database
from npms_shared.db.invariants import Rule
from npms_shared.db.tables import forget_old_keys
from npms_shared.messaging import parked
from npms_shared.messaging.subscriptions import Subscription
from npms_shared.messaging.worker import Loop, Worker
from npms_shared.observability import logs, metrics
from npms_shared.settings import ServiceSettings, load_settings
from npms_shared.web.app import health_router

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
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


Build = Callable[[Any], Service]


def make_cli(settings_class: type[ServiceSettings], build: Build, *, help_text: str) -> typer.Typer:
    """The command line that every service has."""
    app = typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)

    def built() -> Service:
        _check_clock()
        settings = load_settings(settings_class)
        service = build(settings)
        logs.configure(service.name, settings.log_level)
        return service

    @app.command()
    def run() -> None:
        """REST interface and worker in one process."""
        _serve(built(), rest=True, work=True)

    @app.command()
    def api() -> None:
        """REST interface only."""
        _serve(built(), rest=True, work=False)

    @app.command()
    def worker() -> None:
        """Worker only; its port still answers health and metrics."""
        _serve(built(), rest=False, work=True)

    @app.command()
    def migrate() -> None:
        """Bring the database to the newest revision, as its owner."""
        service = built()
        settings = service.settings
        owner = settings.migration_database_url or settings.database_url
        role = make_url(settings.database_url.get_secret_value()).username or ""
        url = owner.get_secret_value()
        revision = migrations.migrate(service.migrations, url=url, application_role=role)
        typer.echo(f"{service.name}: at revision {revision}")

    @app.command()
    def check_config() -> None:
        """Validate the configuration and say so."""
        typer.echo(f"{built().name}: configuration is good")

    @app.command()
    def invariants() -> None:
        """Check this service's own rules once; exit 1 when one is broken."""
        service = built()
        raise typer.Exit(code=asyncio.run(_check_rules(service)))

    app.add_typer(_parked_cli(built), name="parked")
    return app


def _check_clock() -> None:
    try:
        clock_from_environment()
    except ValueError as fault:
        typer.echo(f"configuration: {fault}", err=True)
        raise typer.Exit(code=2) from None


async def _check_rules(service: Service) -> int:
    violations = await invariants.check(service.database, service.rules)
    await service.database.close()
    typer.echo(f"{service.name}: {len(service.rules)} rules, {len(violations)} broken")
    for violation in violations:
        typer.echo(f"  {violation.rule.name}: {violation.rule.says}; e.g. {violation.rows[0]}")
    return 1 if violations else 0


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: one place decides how to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _serve(service: Service, *, rest: bool, work: bool) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(service, rest=rest, work=work))


async def serve(service: Service, *, rest: bool, work: bool) -> None:
    """Run until SIGTERM or SIGINT, then answer what was asked and finish what is in hand."""
    app = service.app if rest else _health_app(service)
    settings = service.settings
    server = _Server(
        uvicorn.Config(
            app, host=settings.host, port=settings.port, log_config=None, access_log=False,
            timeout_graceful_shutdown=10,
        )
    )  # fmt: skip
    worker = make_worker(service, work=work)
    add_checks(app, service, worker)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True
        worker.stop()

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


async def wait_or_stop(stopping: asyncio.Event, seconds: float) -> bool:
    """Sleep, but not past the stop; True when stopping."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True


def _parked_cli(built: Callable[[], Service]) -> typer.Typer:
    """Messages that could not be applied."""
    app = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)
    reason_option = typer.Option("--reason", help="Why; kept on record.")
    by_option = typer.Option("--by", help="Who decides; kept on record.")

    def on_database(work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            database = built().database
            try:
                async with database.transaction() as conn:
                    return await work(conn)
            except parked.NotParked as fault:
                typer.echo(f"{fault}; `parked list` shows what is", err=True)
                raise typer.Exit(code=1) from None
            finally:
                await database.close()

        return asyncio.run(inside())

    @app.command("list")
    def list_parked(limit: int = 100) -> None:
        """The oldest first."""
        rows = on_database(partial(parked.list_parked, limit=limit))
        for row in rows:
            typer.echo(f"{row.id}  {row.parked_at:%F %T}  {row.queue}  {row.code}: {row.reason}")
        typer.echo(f"{len(rows)} parked")

    @app.command()
    def show(parked_id: UUID) -> None:
        """Everything of one."""
        row = on_database(partial(parked.show, parked_id=parked_id))
        for name, value in row._mapping.items():
            typer.echo(f"{name}: {value!r}" if isinstance(value, bytes) else f"{name}: {value}")

    @app.command()
    def replay(
        parked_id: UUID, by: Annotated[str, by_option], reason: Annotated[str, reason_option]
    ) -> None:
        """Send it to its queue again."""
        on_database(partial(parked.replay, parked_id=parked_id, by=by, reason=reason))
        typer.echo("replayed")

    @app.command()
    def drop(
        parked_id: UUID, by: Annotated[str, by_option], reason: Annotated[str, reason_option]
    ) -> None:
        """Give it up."""
        on_database(partial(parked.drop, parked_id=parked_id, by=by, reason=reason))
        typer.echo("dropped")

    return app
