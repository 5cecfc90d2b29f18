"""PostgreSQL and RabbitMQ of the tests, and virtual hosts on the latter."""

import os
from collections.abc import Callable

from npms_tools.stack import Stack


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

    def make_vhost(self, name: str) -> str:
        """An empty virtual host; returns its AMQP URL."""
        self.drop_vhost(name)
        return self.stack.vhost(name)

    def drop_vhost(self, name: str) -> None:
        self.stack.drop_vhost(name)
