"""`npms profile check` and `npms profile list`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from npms_meter_gateway.domain.planning import plan, spans_of
from npms_meter_gateway.domain.point import Group
from npms_meter_gateway.domain.profile import RELAY, Profile, ProfileError
from npms_meter_gateway.drivers.golden import golden_faults
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import load_profile
from npms_operations.meter.words import doubt_of

app = typer.Typer()


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="profiles (*.yaml)", dir_okay=False)],
) -> None:
    """Validate profiles in files; exit 1 with the place of everything that is wrong."""
    flawed = False
    for path in files:
        faults, remarks = examine(path)
        flawed = flawed or bool(faults)
        for fault in faults:
            typer.echo(f"{path}: {fault}", err=True)
        for remark in remarks:
            typer.echo(f"{path}: {remark}")
    if flawed:
        raise typer.Exit(1)


@app.command("list")
def list_profiles(
    folder: Annotated[
        Path | None, typer.Option(help="folder with further profiles", exists=True)
    ] = None,
) -> None:
    """Every device type that can be read, and how sure its register map is."""
    for profile in load_profiles(folder).values():
        typer.echo(
            f"{profile.code:24} {profile.vendor} {profile.model} "
            f"({profile.confidence}, relay: {profile.relay.kind if profile.relay else 'none'})"
        )


def examine(path: Path) -> tuple[list[str], list[str]]:
    """What is wrong with a profile, and what its writer should know of a good one."""
    try:
        profile = load_profile(path)
    except ProfileError as fault:
        return fault.faults, []
    faults = golden_faults(profile)
    return faults, [] if faults else list(_remarks(profile))


def _remarks(profile: Profile) -> Iterator[str]:
    yield f"{profile.code} is good: {len(profile.points)} points, {profile.confidence}"
    for group in Group if profile.driver == "modbus" else ():
        names = profile.names_of(group) | ({RELAY} if group is Group.BILLING else set())
        for block in plan(spans_of(profile, names), profile.limits):
            inside = ", ".join(span.name for span in block.spans)
            place = f"{block.table} {block.address:#06x} + {block.count}"
            yield f"{group} reads {place}: {inside}"
    if profile.golden:
        yield f"{len(profile.golden)} golden frames mean what they should"
    else:
        yield "no golden frames: nothing proves that it reads what the meter shows"
    doubt = doubt_of(profile)
    if doubt:
        yield f"{doubt}: its use is warned of"
