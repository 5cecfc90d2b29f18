"""`npms soak`: a street with every fault on real services, then a clean account of all of it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from npms_tools.soak.plan import soak_plan
from npms_tools.soak.run import Soak
from npms_tools.soak.scene import Scene


def soak(
    meters: Annotated[int, typer.Option(min=10, help="how many homes")] = 5000,
    gateways: Annotated[int, typer.Option(min=1, help="behind how many gateways")] = 200,
    minutes: Annotated[float, typer.Option(min=0.5, help="how long faults strike")] = 10,
    interval: Annotated[
        float, typer.Option(min=2, help="seconds between two readings of a meter")
    ] = 60,
    faults: Annotated[
        Path | None, typer.Option(help="plan of faults; without: every fault there is")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of homes and faults")] = None,
    profiles: Annotated[str, typer.Option(help="comma-separated, or all")] = "all",
) -> None:
    """Run it on a stack of its own; exit 1 where a value cannot be explained."""
    console = Console()
    plan = soak_plan(faults, seed=seed, minutes=minutes)
    scene = Scene(
        meters=meters,
        gateways=gateways,
        seed=plan.seed,
        interval_s=interval,
        profiles=profiles,
    )
    try:
        scene.start()
        work = Soak(scene, plan, console, minutes=minutes, interval_s=interval).play()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            is_clean = runner.run(work)
    finally:
        scene.stop()
        scene.stack.down()
    raise typer.Exit(0 if is_clean else 1)
