"""A command line of commands whose modules are imported only when they are called."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer

from npms_operations.errors import CommandError

Commands = Mapping[str, tuple[str, str]]
"""Name: where a typer app (of several verbs) or a function (one command) is, and a line of help."""


def run(
    commands: Commands, about: str, words: list[str], *, before: Callable[[], None] = lambda: None
) -> None:
    """Do `before`, then what the words say; what fails is said on stderr, with exit status 1."""
    try:
        before()
        make_command_line(commands, about, words[:1])(words)
    except CommandError as fault:
        print(f"\n{fault}", file=sys.stderr)
        raise SystemExit(1) from None


def make_command_line(commands: Commands, about: str, chosen: list[str]) -> typer.Typer:
    """The application with the chosen command loaded and the others listed only."""
    root = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    root.callback(help=about)(_root)
    for name, (place, summary) in commands.items():
        command: Any = _load(place) if chosen == [name] else _listed
        if isinstance(command, typer.Typer):
            root.add_typer(command, name=name, help=summary, no_args_is_help=True)
        else:
            root.command(name, help=summary)(command)
    return root


def _root() -> None:
    pass


def _listed() -> None:
    raise AssertionError("a command that was not chosen cannot be called")


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
