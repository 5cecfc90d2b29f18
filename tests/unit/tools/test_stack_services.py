"""Service processes, with a small stand-in for a service."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from npms_tools.stack import StackError
from npms_tools.stack.databases import ServiceDatabase
from npms_tools.stack.memory import Memory
from npms_tools.stack.pid_files import PidFile
from npms_tools.stack.services import ServiceProcess, environment_of, variable_of

STAND_IN = """\
import http.server, os, sys, threading, signal
print("starts", flush=True)
if os.environ.get("BROKEN"):
    print("configuration: NPMS_STANDIN_THING: missing", flush=True)
    raise SystemExit(2)
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.environ.get("UNREADY") else 200)
        self.end_headers()
        self.wfile.write(b"database: away")
port = int(os.environ["NPMS_STANDIN_INTERNAL_PORT"])
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready)
def stop(*_):
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("STUBBORN") else stop)
server.serve_forever()
server.server_close()
"""

Make = Callable[..., ServiceProcess]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    package = tmp_path / "npms_standin"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(STAND_IN)
    made: list[ServiceProcess] = []

    def process(**environment: str) -> ServiceProcess:
        made.append(
            ServiceProcess(
                "standin",
                environment={**os.environ, "PYTHONPATH": str(tmp_path), **environment},
                memory=Memory(tmp_path / "stack.json"),
                log=tmp_path / "standin.log",
                pid_file=PidFile(tmp_path / "services" / "standin.pid"),
            )
        )
        return made[-1]

    yield process
    for one in made:
        one.kill()


def test_a_service_starts_becomes_ready_and_stops_in_good_order(make: Make):
    service = make()

    service.start()
    service.wait_ready()

    assert service.stop() == 0
    assert service.pid is None
    assert "starts" in service.log.read_text()


def test_one_that_ends_while_starting_is_named_with_its_log(make: Make):
    service = make(BROKEN="1")
    service.start()

    with pytest.raises(StackError) as caught:
        service.wait_ready()

    assert "standin ended while starting (exit status 2)" in str(caught.value)
    assert "NPMS_STANDIN_THING: missing" in str(caught.value)


def test_one_that_never_gets_ready_tells_what_is_missing(make: Make):
    service = make(UNREADY="1")
    service.start()

    with pytest.raises(StackError, match="database: away"):
        service.wait_ready(seconds=1)


def test_one_that_does_not_listen_to_sigterm_is_killed(make: Make):
    service = make(STUBBORN="1")
    service.start()
    service.wait_ready()

    assert service.stop(seconds=0.3) == -9


def test_a_killed_service_starts_again(make: Make):
    service = make()
    service.start()
    service.wait_ready()

    service.kill()
    service.start()
    service.wait_ready()

    assert service.pid is not None


def test_a_paused_service_is_frozen_and_goes_on(make: Make):
    service = make()
    service.start()
    service.wait_ready()
    process = psutil.Process(service.pid)

    service.pause()
    assert process.status() == psutil.STATUS_STOPPED
    service.resume()
    service.wait_ready()

    service.pause()
    assert service.stop() == 0


def test_what_an_earlier_start_left_behind_is_stopped_first(make: Make):
    left = make()
    left.start()
    left.wait_ready()

    fresh = make()
    fresh.start()
    fresh.wait_ready()

    assert left.pid is None
    assert fresh.port == left.port


def test_a_pid_file_that_names_a_stranger_ends_nobody(tmp_path: Path):
    pid_file = PidFile(tmp_path / "x.pid")
    pid_file.write(os.getpid())

    assert pid_file.process() is None
    pid_file.end()


def test_variables_are_named_after_the_service(tmp_path: Path):
    database = ServiceDatabase("d", "postgresql://app", "postgresql://owner")

    found = environment_of(
        "meter-gateway", database=database, amqp_url="amqp://b", jwks_path=tmp_path
    )

    assert variable_of("meter-gateway", "port") == "NPMS_METER_GATEWAY_PORT"
    assert found["NPMS_METER_GATEWAY_MIGRATION_DATABASE_URL"] == "postgresql://owner"
    assert found["NPMS_METER_GATEWAY_DATABASE_URL"] == "postgresql://app"
