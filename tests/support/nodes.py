"""PostgreSQL and RabbitMQ of the tests, and virtual hosts on the latter."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from npms_tools.stack import Stack
from npms_tools.stack.identity import unprivileged

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 10**9


class Nodes:
    """The stack `test`: the environment's servers where given, else private nodes."""

    def __init__(self, stack: Stack, postgres_url: str) -> None:
        self.stack, self.postgres_url = stack, postgres_url

    @classmethod
    def prepare(cls, *, progress: Callable[[str], None]) -> "Nodes":
        """Start what is not running yet."""
        stack = Stack("test")
        return cls(stack, stack.up(progress).postgres_admin_url)

    @property
    def is_own_server(self) -> bool:
        """Whether PostgreSQL is a node of ours, and not one that was given."""
        return not os.environ.get("NPMS_POSTGRES_URL")

    def make_memory(self, name: str) -> Path | None:
        """A folder in memory for PostgreSQL's files, if there is room: a disk is slow to make and
        drop a thousand databases of six hundred files (ext4 seeks inodes not freed of late).
        """
        if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
            return None
        return unprivileged("postgres").folder(_memory(name))

    def drop_memory(self, name: str) -> None:
        shutil.rmtree(_memory(name), ignore_errors=True)

    def make_vhost(self, name: str) -> str:
        """A virtual host with the topology and nothing in it; returns its administrator's URL."""
        self.drop_vhost(name)
        return self.stack.vhost(name)

    def drop_vhost(self, name: str) -> None:
        self.stack.drop_vhost(name)


def _memory(name: str) -> Path:
    return MEMORY / f"npms-test-{name}"
