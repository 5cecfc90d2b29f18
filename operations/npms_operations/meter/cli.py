"""`npms meter probe`, `read` and `depth`: a meter at an address, before it serves anyone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from npms_meter_gateway.domain.addressing import line_address
from npms_meter_gateway.domain.gateway import Gateway, Parity, Transport
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.probing import Trial, recognised
from npms_meter_gateway.domain.profile import (
    LOAD_LIMIT,
    RELAY,
    RELAY_FAULT,
    DriverName,
    Profile,
    ProfileError,
)
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.depth import probe_depth
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.profiles import load_profiles
from npms_operations.errors import CommandError
from npms_operations.meter.trying import Unit, try_all
from npms_operations.meter.words import doubt_of, lines_of, verdict

RegisterTable = Literal["holding", "input"]
READ_TABLES = get_args(RegisterTable)

app = typer.Typer()

Host = Annotated[str, typer.Argument(help="gateway's address; for serial, a device like /dev/…")]
UnitId = Annotated[int, typer.Argument(help="unit id behind it", min=0, max=255)]
Port = Annotated[int, typer.Option(help="TCP port", min=1, max=0xFFFF)]
TransportName = Annotated[str, typer.Option(help="modbus_tcp, rtu_over_tcp or serial")]
Baud = Annotated[int, typer.Option(help="of a serial device", min=300)]
ParityName = Annotated[str, typer.Option(help="of a serial device: N, E or O")]
Folder = Annotated[
    Path | None, typer.Option(help="folder with further profiles", exists=True, file_okay=False)
]


@app.command()
def probe(
    host: Host,
    unit: UnitId,
    port: Port = 502,
    transport: TransportName = "modbus_tcp",
    baud: Baud = 9600,
    parity: ParityName = "N",
    among: Annotated[list[str] | None, typer.Option(help="only these profiles")] = None,
    profiles: Folder = None,
) -> None:
    """Recognise a meter among the profiles; exit 1 where none or several fit. It only reads."""
    known = _known(profiles)
    chosen = [_profile(known, code) for code in among] if among else list(known.values())
    gateway = _gateway(host, port, transport, baud, parity)
    speaking = [profile for profile in chosen if profile.driver == "modbus"]
    if not speaking:
        raise CommandError("none of these profiles speaks Modbus; only Modbus is probed here")
    trials = asyncio.run(_probe(gateway, unit, speaking))
    for line in verdict(trials):
        typer.echo(line)
    if recognised(trials) is None:
        raise typer.Exit(1)


@app.command()
def read(
    host: Host,
    unit: UnitId,
    profile: Annotated[str, typer.Option(help="which device type it is")],
    serial: Annotated[str, typer.Option(help="meter's number, by which dlt645 calls it")] = "",
    port: Port = 502,
    transport: TransportName = "modbus_tcp",
    baud: Baud = 9600,
    parity: ParityName = "N",
    profiles: Folder = None,
) -> None:
    """Show every point of a meter, exactly, with its unit."""
    of = _profile(_known(profiles), profile)
    try:
        line_address(of.driver, serial=serial, unit_id=unit)
    except ValueError as fault:
        raise CommandError(str(fault), advice="give it with --serial") from None
    gateway = _gateway(host, port, transport, baud, parity)
    shown, refused = asyncio.run(_read(gateway, unit, serial, of))
    _show(of, shown, refused)


@app.command()
def depth(
    host: Host,
    unit: UnitId,
    port: Port = 502,
    address: Annotated[int, typer.Option(help="of a register that it serves", min=0)] = 0,
    table: Annotated[str, typer.Option(help="holding or input")] = "input",
    most: Annotated[int, typer.Option(help="try no more at once", min=1, max=64)] = 8,
) -> None:
    """How many requests a Modbus/TCP gateway bears at once: what its `depth` may be set to."""
    if table not in READ_TABLES:
        raise CommandError(f"--table is one of {', '.join(READ_TABLES)}")
    one = Read(cast("RegisterTable", table), address, 1)
    gateway = Gateway(host, port)
    try:
        borne = asyncio.run(probe_depth(gateway, unit, one, most=most))
    except LinkFault as fault:
        raise CommandError(f"{gateway.name}, unit {unit}: {fault}") from None
    typer.echo(f"{borne} at once" if borne > 1 else "one at a time")


def _known(folder: Path | None) -> Mapping[str, Profile]:
    try:
        return load_profiles(folder)
    except ProfileError as fault:
        raise CommandError("\n".join(f"profile {fault.code}: {f}" for f in fault.faults)) from None


def _profile(known: Mapping[str, Profile], code: str) -> Profile:
    if code not in known:
        raise CommandError(f"no profile {code!r}", advice="npms profile list names them")
    return known[code]


def _gateway(host: str, port: int, transport: str, baud: int, parity: str) -> Gateway:
    if transport not in get_args(Transport) or parity not in get_args(Parity):
        raise CommandError(
            f"--transport is one of {', '.join(get_args(Transport))}, --parity of N, E, O"
        )
    device = host if transport == "serial" else ""
    return Gateway(
        host=host,
        port=port,
        transport=cast("Transport", transport),
        device=device,
        baud=baud,
        parity=cast("Parity", parity),
    )


@asynccontextmanager
async def _bus(gateway: Gateway, driver: DriverName = "modbus") -> AsyncIterator[Bus]:
    bus = Drivers().bus(gateway, driver)
    try:
        yield bus
    except LinkFault as fault:
        words = str(fault).removeprefix(f"{gateway.name}: ")
        raise CommandError(f"{gateway.name}: {words}") from None
    finally:
        await bus.close()


async def _probe(gateway: Gateway, unit_id: int, profiles: list[Profile]) -> list[Trial]:
    async with _bus(gateway) as bus:
        bus.keep_gap(max(profile.limits.min_gap_ms for profile in profiles))
        return await try_all(Unit(bus, unit_id), profiles)


async def _read(
    gateway: Gateway, unit_id: int, serial: str, profile: Profile
) -> tuple[MeterAnswer, list[str]]:
    async with _bus(gateway, profile.driver) as bus:
        bus.keep_gap(profile.limits.min_gap_ms)
        driver = Drivers().driver(bus, profile, serial=serial, unit_id=unit_id)
        names = {*profile.points, RELAY, RELAY_FAULT, LOAD_LIMIT}
        return await driver.read(names, Priority.ON_DEMAND), driver.refused


def _show(profile: Profile, shown: MeterAnswer, refused: list[str]) -> None:
    table = Table(title=f"{profile.vendor} {profile.model} as {profile.code}")
    for column in ("point", "value", "unit", "where", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    for row in lines_of(profile, shown, refused):
        table.add_row(*row)
    Console(width=None if Console().is_terminal else 140).print(table)
    if profile.relay is not None:
        armed = ", armed: its customer may close it" if shown.armed else ""
        fault = ", and its fault register says that it cannot open" if shown.relay_fault else ""
        typer.echo(f"relay: {shown.relay or 'cannot be read'}{armed}{fault}")
    if profile.load_limit is not None:
        typer.echo(f"load limit: {'none' if shown.limit_w is None else f'{shown.limit_w} W'}")
    doubt = doubt_of(profile)
    if doubt:
        typer.echo(f"{doubt}: compare with the display before billing.", err=True)
