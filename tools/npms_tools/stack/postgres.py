"""A private PostgreSQL node on loopback."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from npms_tools.stack import packages, processes
from npms_tools.stack.errors import StackError
from npms_tools.stack.identity import Identity
from npms_tools.stack.memory import Memory
from npms_tools.stack.ports import LOOPBACK

StopMode = Literal["smart", "fast", "immediate"]

ADMIN = "npms_admin"
START_S = 60
ATTEMPTS = 3

CONFIGURATION = """\
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = '256MB'
work_mem = '8MB'
maintenance_work_mem = '128MB'
random_page_cost = 1.1
fsync = on
synchronous_commit = on
full_page_writes = on
wal_compression = lz4
wal_buffers = '16MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d %a '
"""


@dataclass(frozen=True, slots=True)
class PostgresNode:
    """One cluster in `folder`, run by `identity`, with its port and password in `memory`."""

    folder: Path
    identity: Identity
    memory: Memory

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def url(self) -> str:
        """The administrator's URL, with the password."""
        password = self.memory.secret("postgres")
        return f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{self.memory.port('postgres')}/postgres"

    def start(self) -> None:
        """Start, or leave alone what runs and answers; the data of the last time is kept."""
        if self.pid() is not None:
            if processes.wait_until(self.answers, seconds=START_S):
                return
            self.stop("immediate")
        self._initialise()
        for _ in range(ATTEMPTS):
            self.identity.file(self.data / "postgresql.conf", self._configuration())
            started = self._run("pg_ctl", "start", "-w", "-t", str(START_S), "-l", str(self.log))
            if started.returncode == 0:
                return
        raise StackError("PostgreSQL did not start", log=self.log, advice="make clean, then again")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop; `immediate` is what a power cut would do."""
        if self.pid() is None:
            return
        if self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", mode).returncode != 0:
            self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", "immediate")

    def pid(self) -> int | None:
        """The postmaster's, if it is alive and works on this folder."""
        pid = processes.pid_in(self.data / "postmaster.pid")
        process = processes.living(pid) if pid is not None else None
        if process is None:
            return None
        return pid if processes.folder_of(process) == self.data.resolve() else None

    def answers(self) -> bool:
        port = str(self.memory.port("postgres"))
        return self._run("pg_isready", "-q", "-h", LOOPBACK, "-p", port).returncode == 0

    def _configuration(self) -> str:
        return CONFIGURATION.format(host=LOOPBACK, port=self.memory.free_port("postgres"))

    def _initialise(self) -> None:
        self.identity.folder(self.folder)
        version = self.data / "PG_VERSION"
        if version.exists():
            self._check_version(version.read_text().strip())
        else:
            self._initdb()

    def _check_version(self, kept: str) -> None:
        shown = self._run("postgres", "--version").stdout.split()
        if shown and shown[2].split(".")[0] != kept:
            raise StackError(
                f"the kept data is of PostgreSQL {kept}, the installed one is {shown[2]}",
                advice="make clean",
            )

    def _initdb(self) -> None:
        fresh = self.folder / "data.new"
        subprocess.run(["rm", "-rf", str(fresh)], check=True)
        password = self.identity.file(self.folder / "password", self.memory.secret("postgres"))
        made = self._run(
            "initdb",
            *("--pgdata", str(fresh), "--username", ADMIN, "--pwfile", str(password)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        password.unlink()
        if made.returncode != 0:
            raise StackError(f"initdb failed: {(made.stderr or made.stdout).strip()[-400:]}")
        self._check_age(int((fresh / "PG_VERSION").read_text()))
        fresh.rename(self.data)

    def _check_age(self, version: int) -> None:
        if version < packages.OLDEST_POSTGRES:
            raise StackError(
                f"PostgreSQL {version} is too old, {packages.OLDEST_POSTGRES} or later is needed",
                advice="install a newer one, or give NPMS_POSTGRES_URL",
            )

    def _binaries(self) -> Path:
        folder = packages.postgres_binaries()
        if folder is None:
            raise StackError("PostgreSQL is not installed")
        return folder

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._binaries() / program), *words],
            env={
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "PGDATA": str(self.data),
                "TZ": "UTC",
            },
            cwd=self.folder if self.folder.exists() else "/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self.identity.options(),
        )
