"""`npms locks`: what each image carries, cut out of requirements.lock by what its code declares."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from npms_tools.stack.local import WORKSPACE
from npms_tools.stack.services import SERVICES

IMAGES = (*SERVICES, "operations")
WHOLE, FOLDER = "requirements.lock", "locks"
_ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)==(?:.*\\\n)*.*\n?", re.MULTILINE)


def locks() -> None:
    """Write the images' locks anew; the environment must be that of requirements.lock."""
    for image, text in cut(WORKSPACE).items():
        (WORKSPACE / FOLDER / f"{image}.lock").write_text(text)
        typer.echo(f"{FOLDER}/{image}.lock: {len(names_in(text))} packages")


def cut(root: Path) -> dict[str, str]:
    """By image: the entries of the whole lock that it needs, in their order and word by word."""
    whole = {
        canonicalize_name(entry[1]): entry[0]
        for entry in _ENTRY.finditer((root / WHOLE).read_text())
    }
    needed = {image: needed_by(f"npms-{image}", root) for image in IMAGES}
    return {
        image: "".join(text for name, text in whole.items() if name in names)
        for image, names in needed.items()
    }


def names_in(lock: str) -> list[str]:
    return [canonicalize_name(entry[1]) for entry in _ENTRY.finditer(lock)]


def needed_by(package: str, root: Path) -> set[str]:
    """Every package that one of the workspace needs, directly or not; those of the house left out.

    Raises KeyError for a package of the house that there is not.
    """
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(package)]
    while waiting:
        one = waiting.pop()
        for extra in ("", *sorted(one.extras)):
            key = (canonicalize_name(one.name), extra)
            if key not in found:
                found.add(key)
                waiting += _requirements(*key, root)
    return {name for name, _ in found if not name.startswith("npms-")}


def declared(root: Path) -> dict[str, list[str]]:
    """By package of the workspace, what its pyproject.toml says that it needs."""
    files = [*root.glob("*/pyproject.toml"), *root.glob("services/*/pyproject.toml")]
    projects = [tomllib.loads(file.read_text())["project"] for file in files]
    return {project["name"]: project["dependencies"] for project in projects}


_declared = cache(declared)


def _requirements(name: str, extra: str, root: Path) -> Iterator[Requirement]:
    words: Iterable[str] = (
        _declared(root)[name] if name.startswith("npms-") else requires(name) or ()
    )
    for requirement in map(Requirement, words):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement
