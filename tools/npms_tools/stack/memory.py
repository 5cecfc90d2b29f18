"""What a stack remembers between starts: ports and secrets, in a file only its owner reads."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from npms_tools.stack import ports


class Memory:
    """`.run/<name>/stack.json`; every change is written whole and at once."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, Any]:
        if not self.file.exists():
            return {}
        content: dict[str, Any] = json.loads(self.file.read_text())
        return content

    def secret(self, name: str) -> str:
        """The secret of that name, made when first asked for."""
        with self._change() as content:
            value: str = content.setdefault("secrets", {}).setdefault(name, secrets.token_hex(16))
        return value

    def port(self, name: str) -> int:
        """The remembered port, whoever holds it; chosen when first asked for."""
        with self._change() as content:
            known: dict[str, int] = content.setdefault("ports", {})
            if name not in known:
                known[name] = ports.free_port(set(known.values()))
            return known[name]

    def free_port(self, name: str) -> int:
        """The remembered port, or another one when somebody else has taken it meanwhile."""
        port = self.port(name)
        if ports.is_free(port):
            return port
        with self._change() as content:
            known: dict[str, int] = content["ports"]
            known[name] = ports.free_port(set(known.values()))
            return known[name]

    @contextlib.contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        with locked(self.file.with_suffix(".lock")):
            content = self.read()
            yield content
            self._write(content)

    def _write(self, content: dict[str, Any]) -> None:
        fresh = self.file.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=2, sort_keys=True)
        fresh.replace(self.file)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time, on this machine."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
