import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from npms_tools.stack import ports
from npms_tools.stack.memory import Memory


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "stack.json")


def test_secrets_and_ports_are_remembered(memory: Memory):
    secret, port = memory.secret("postgres"), memory.port("postgres")

    again = Memory(memory.file)

    assert (again.secret("postgres"), again.port("postgres")) == (secret, port)


def test_only_the_owner_reads_the_file(memory: Memory):
    memory.secret("postgres")

    assert stat.S_IMODE(memory.file.stat().st_mode) == 0o600


def test_secrets_of_different_names_differ(memory: Memory):
    assert memory.secret("postgres") != memory.secret("rabbitmq")


def test_many_at_once_agree(memory: Memory):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: (memory.port(f"p{n % 4}"), n % 4), range(40)))

    assert len({port for port, _ in found}) == 4
    assert len(set(found)) == 4


def test_a_port_taken_by_a_stranger_is_replaced(memory: Memory):
    port = memory.free_port("amqp")
    with socket.socket() as stranger:
        stranger.bind((ports.LOOPBACK, port))
        stranger.listen()

        other = memory.free_port("amqp")

    assert other != port
    assert memory.port("amqp") == other


def test_a_free_port_is_kept(memory: Memory):
    assert memory.free_port("amqp") == memory.free_port("amqp")


def test_ports_lie_below_the_range_of_outgoing_connections():
    assert all(ports.LOWEST <= ports.free_port() <= ports.highest() for _ in range(20))
