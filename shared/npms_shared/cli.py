"""The command line that every service has: run, api, worker, migrate, restored, parked …"""

import asyncio
from collections.abc import Callable
from typing import Any

import typer
from sqlalchemy import make_url

from npms_shared.clock import clock_from_environment
from npms_shared.db import migrations
from npms_shared.db.invariants import check
from npms_shared.observability import logs
from npms_shared.parked_cli import Opened, make_parked_cli
from npms_shared.restoring_cli import add_restoring
from npms_shared.runtime import Service, run
from npms_shared.settings import ServiceSettings, exiting_when_wrong, read_settings
from npms_shared.unroutable_cli import make_unroutable_cli

Build = Callable[[Any], Service]
Built = Callable[[], Service]


def make_cli(settings_class: type[ServiceSettings], build: Build, *, help_text: str) -> typer.Typer:
    """`build` is the service's bootstrap; it is called once per command, with valid settings."""
    app = typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)

    def built() -> Service:
        _check_clock()
        with exiting_when_wrong():
            settings = read_settings(settings_class)
            service = build(settings)
        logs.configure(service.name, settings.log_level)
        return service

    def opened() -> Opened:
        service = built()
        return service.database, service.reappliers

    _add_processes(app, built)
    _add_upkeep(app, built)
    add_restoring(app, built)
    app.add_typer(make_parked_cli(opened), name="parked")
    app.add_typer(make_unroutable_cli(lambda: opened()[0]), name="unroutable")
    return app


def _add_processes(app: typer.Typer, built: Built) -> None:
    @app.command("run")
    def run_all() -> None:
        """REST interface and worker in one process."""
        run(built(), rest=True, work=True)

    @app.command()
    def api() -> None:
        """REST interface only."""
        run(built(), rest=True, work=False)

    @app.command()
    def worker() -> None:
        """Worker only; its port still answers health and metrics."""
        run(built(), rest=False, work=True)


def _add_upkeep(app: typer.Typer, built: Built) -> None:
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
        raise typer.Exit(code=asyncio.run(_check_rules(built())))


def _check_clock() -> None:
    try:
        clock_from_environment()
    except ValueError as fault:
        typer.echo(f"configuration: {fault}", err=True)
        raise typer.Exit(code=2) from None


async def _check_rules(service: Service) -> int:
    violations = await check(service.database, service.rules)
    await service.database.close()
    typer.echo(f"{service.name}: {len(service.rules)} rules, {len(violations)} broken")
    for violation in violations:
        typer.echo(f"  {violation.rule.name}: {violation.rule.says}; e.g. {violation.rows[0]}")
    return 1 if violations else 0
