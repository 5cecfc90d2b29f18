"""`npms demo`: the main job, end to end, on real parts."""

import signal
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from npms_tools.demo.closing import places, prove, show_table
from npms_tools.demo.scene import Scene
from npms_tools.demo.story import STEPS, Story
from npms_tools.stack.local import Stack


def demo(
    *, once: Annotated[bool, typer.Option(help="end after the story, nodes stopped")] = False
) -> None:
    """Start everything, play the story on a simulated street, and stay until Ctrl-C."""
    console, began = Console(), time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    stack = Stack("demo")
    scene = Scene(stack, typer.echo)
    scene.start()
    try:
        story = Story(scene, console)
        story.play()
        show_table(story, console)
        proof = prove(scene, console)
        story.observed.append(("Books audited", proof))
        console.print(f"[green]✓[/green] [{STEPS}/{STEPS}] [bold]Books audited[/bold]: {proof}")
        _show_steps(story, console, time.monotonic() - began)
        if not once:
            _stay(scene, story, console)
    finally:
        typer.echo("stopping the services")
        scene.stop()
        if once:
            stack.down()


def _show_steps(story: Story, console: Console, seconds: float) -> None:
    table = Table(title=f"The story in {seconds:.0f} s", show_lines=True)
    for name in ("step", "what", "observed"):
        table.add_column(name)
    for number, (title, seen) in enumerate(story.observed, start=1):
        table.add_row(str(number), title, seen)
    console.print(table)


def _stay(scene: Scene, story: Story, console: Console) -> None:
    for name, place in places(scene, story):
        console.print(f"{name}: {place}", highlight=False, soft_wrap=True)
    console.print("Running until Ctrl-C; the street goes on.")
    try:
        while True:
            scene.timeline.keep()
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
