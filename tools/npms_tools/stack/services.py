"""The five services as processes of this machine, for the demonstration, system tests and bench."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from npms_operations import installation
from npms_tools.stack import processes
from npms_tools.stack.databases import ServiceDatabase
from npms_tools.stack.development import development_variables
from npms_tools.stack.errors import StackError
from npms_tools.stack.local import Stack
from npms_tools.stack.memory import Memory
from npms_tools.stack.pid_files import PidFile
from npms_tools.stack.ports import LOOPBACK

SERVICES = installation.SERVICES
variable_of = installation.variable_of

HURRIED = "100000"
"""A minute of a scaled clock is short."""
READY_S = 60.0
STOP_S = 25.0
POLL_S = 0.1
LARGEST_LOG = 50_000_000

Progress = Callable[[str], None]


class ServiceProcess:
    """One service: started, watched, injured and stopped."""

    def __init__(
        self,
        service: str,
        *,
        environment: Mapping[str, str],
        memory: Memory,
        log: Path,
        pid_file: PidFile,
    ) -> None:
        self.service, self.log = service, log
        self.port = memory.port(f"service {service}")
        self.internal_port = memory.port(f"service {service} internal")
        self.environment = dict(environment)
        self._memory, self._pid_file = memory, pid_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def internal_url(self) -> str:
        """Where health with reasons and metrics are."""
        return f"http://{LOOPBACK}:{self.internal_port}"

    @property
    def pid(self) -> int | None:
        """The process's, while it lives."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process else None

    def start(self, command: str = "run") -> None:
        """Start `run`, `api` or `worker`; what an earlier start left behind is stopped first."""
        assert self.pid is None, f"{self.service} runs already"
        self._pid_file.end()
        self.port = self._memory.free_port(f"service {self.service}")
        self.internal_port = self._memory.free_port(f"service {self.service} internal")
        _rotate(self.log)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command_of(self.service, command),
                env={**self.environment, **self.ports(), **self._pid_file.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write(self._process.pid)

    def ports(self) -> dict[str, str]:
        """The variables that tell a process its two ports."""
        both = {"port": self.port, "internal_port": self.internal_port}
        return {variable_of(self.service, name): str(port) for name, port in both.items()}

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Until /health/ready says yes; raises StackError with the log when it never does."""
        deadline, answer = time.monotonic() + seconds, "no answer"
        with httpx.Client(base_url=self.internal_url, timeout=5) as client:
            while time.monotonic() < deadline:
                self._check_alive()
                ready, answer = _ask(client)
                if ready:
                    return
                time.sleep(POLL_S)
        raise StackError(
            f"{self.service} did not become ready in {seconds:.0f} s: {answer}",
            log=self.log,
            advice="read the log; what is not ready is named above",
        )

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        self._wait(10)

    def pause(self) -> None:
        """SIGSTOP: frozen when this returns, its connections left open."""
        self._signal(signal.SIGSTOP)
        if self.pid is not None:
            process = psutil.Process(self.pid)
            processes.wait_until(lambda: process.status() == psutil.STATUS_STOPPED, seconds=5)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def stop(self, seconds: float = STOP_S) -> int | None:
        """SIGTERM, SIGKILL if it does not end in time; the exit status (0: ended in good order)."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        if not self._wait(seconds):
            self.kill()
        return self._process.returncode if self._process else None

    def _check_alive(self) -> None:
        if self.pid is None:
            status = self._process.returncode if self._process else "none"
            raise StackError(
                f"{self.service} ended while starting (exit status {status})",
                log=self.log,
                advice="a line beginning with `configuration:` names the variable that is wrong",
            )

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)

    def _wait(self, seconds: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Services:
    """All five on one stack, each with its database, port and log.

    `amqp_url` is the administrator's, and says where the services' own users go. `extra` holds
    variables for single services, `common` for all of them; what a
    development machine has is filled in below them and below the environment.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        prefix: str = "npms",
        amqp_url: str | None = None,
        extra: Mapping[str, Mapping[str, str]] | None = None,
        common: Mapping[str, str] | None = None,
    ) -> None:
        self.databases = stack.databases(SERVICES, prefix)
        self._folder, self._stack = stack.folder, stack
        self._amqp_url = amqp_url or stack.urls().amqp_url
        self.amqp_urls = stack.service_amqp_urls(self._amqp_url)
        self._extra, self._common = extra or {}, common or {}
        self._development = development_variables(stack.memory)
        self._jwks_path = stack.issuer.jwks_path
        self._processes = {service: self._make(service) for service in SERVICES}

    def __getitem__(self, service: str) -> ServiceProcess:
        return self._processes[service]

    def __iter__(self) -> Iterator[ServiceProcess]:
        return iter(self._processes.values())

    def migrate(self, progress: Progress = print) -> None:
        """Bring broker and databases to what this version needs."""
        self._stack.prepare_broker(self._amqp_url)
        progress("migrating the databases")
        _at_once(self._migrate_one, self)

    def start(self, progress: Progress = print) -> None:
        """Start all and wait until each is ready; if one is not, none is left running."""
        try:
            for process in self:
                process.start()
            for process in self:
                process.wait_ready()
                progress(f"{process.service}: ready at {process.url}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all, in good order."""
        _at_once(ServiceProcess.stop, self)

    def _migrate_one(self, process: ServiceProcess) -> None:
        log = process.log.with_suffix(".migrate.log")
        with log.open("wb") as file:
            done = subprocess.run(
                command_of(process.service, "migrate"),
                env=process.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise StackError(
                f"the migration of {process.service} failed",
                log=log,
                advice="data of an unfinished version: make clean",
            )

    def _make(self, service: str) -> ServiceProcess:
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        own = environment_of(
            service,
            database=self.databases[service],
            amqp_url=self.amqp_urls[service],
            jwks_path=self._jwks_path,
        )
        given = {**self._development.get(service, {}), **os.environ}
        return ServiceProcess(
            service,
            environment={**given, **own, **self._common, **self._extra.get(service, {})},
            memory=self._stack.memory,
            log=logs / f"{service}.log",
            pid_file=PidFile(self._folder / "services" / f"{service}.pid"),
        )


def package_of(service: str) -> str:
    """`npms_meter_gateway` for `meter-gateway`."""
    return f"npms_{service.replace('-', '_')}"


def command_of(service: str, *words: str) -> list[str]:
    """The command line of a service in this environment."""
    return [sys.executable, "-m", f"{package_of(service)}.cli", *words]


def environment_of(
    service: str, *, database: ServiceDatabase, amqp_url: str, jwks_path: Path
) -> dict[str, str]:
    """What a service needs to know."""
    values = {
        "database_url": database.url,
        "migration_database_url": database.migration_url,
        "amqp_url": amqp_url,
        "host": LOOPBACK,
        "internal_host": LOOPBACK,
        "docs": "true",
        **dict.fromkeys(("costly_per_minute_and_caller", "costly_per_minute_and_address"), HURRIED),
        "jwks_path": str(jwks_path),
    }
    own = {variable_of(service, name): value for name, value in values.items()}
    return {**own, "PYTHONUNBUFFERED": "1"}


def _ask(client: httpx.Client) -> tuple[bool, str]:
    try:
        answer = client.get("/health/ready")
    except httpx.HTTPError as fault:
        return False, f"{type(fault).__name__}: {fault}"
    return answer.is_success, answer.text[:400]


def _at_once(work: Callable[[ServiceProcess], object], services: Iterable[ServiceProcess]) -> None:
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        steps = [pool.submit(work, process) for process in services]
    for step in steps:
        step.result()


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
