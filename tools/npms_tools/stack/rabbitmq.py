"""A private RabbitMQ node on loopback, with an epmd of its own."""

import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from npms_operations.topology.definitions import user_entry
from npms_tools.stack import packages, processes
from npms_tools.stack.errors import StackError
from npms_tools.stack.identity import Identity
from npms_tools.stack.memory import Memory
from npms_tools.stack.ports import LOOPBACK
from npms_tools.stack.vhosts import EVERYTHING

USER = "npms"
VHOST = "npms"
START_S = 90
STOP_S = 30
HALF_DEAD_S = 20
"""A node that lives and does not answer for so long is killed and started again."""

CONFIGURATION = """\
listeners.tcp.1 = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
load_definitions = {definitions}
disk_free_limit.absolute = 256MB
raft.wal_max_size_bytes = 134217728
log.file.level = info
log.file.rotation.size = 20971520
log.file.rotation.count = 2
"""

ARGUMENTS = (
    "+S {schedulers}:{schedulers} +sbwt none +sbwtdcpu none +sbwtdio none"
    " -kernel inet_dist_use_interface {{127,0,0,1}}"
)


@dataclass(frozen=True, slots=True)
class RabbitNode:
    """One broker in `folder`, run by `identity`, with its ports and password in `memory`."""

    name: str
    folder: Path
    identity: Identity
    memory: Memory

    @property
    def log(self) -> Path:
        return self.folder / "rabbitmq.log"

    @property
    def url(self) -> str:
        """As the administrator, in the virtual host `npms`."""
        return f"amqp://{USER}:{self._password}@{LOOPBACK}:{self.memory.port('amqp')}/{VHOST}"

    @property
    def management_url(self) -> str:
        """The management interface's, with user and password."""
        return f"http://{USER}:{self._password}@{LOOPBACK}:{self.memory.port('management')}"

    @property
    def _password(self) -> str:
        return self.memory.secret("rabbitmq")

    def start(self) -> None:
        """Start, or leave alone what runs and answers; the messages of the last time are kept."""
        if self.pid() is not None:
            if processes.wait_until(self.answers, seconds=HALF_DEAD_S):
                return
            self.kill()
        self._end_epmd()
        self._configure()
        launcher = self._launch()
        processes.wait_until(
            lambda: self.answers() or processes.living(launcher) is None, seconds=START_S
        )
        if not self.answers():
            self.kill()
            raise StackError("RabbitMQ did not start", log=self._telling_log(), advice="make clean")

    def stop(self) -> None:
        """Stop in good order: the server closes its queues on SIGTERM."""
        pid = self.pid()
        process = processes.living(pid) if pid is not None else None
        if process is not None:
            processes.end(process, seconds=STOP_S)
        self._end_epmd()

    def kill(self) -> None:
        """SIGKILL, as if the machine had lost its power."""
        for process in self._family():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        processes.wait_until(lambda: not self._family(), seconds=10)

    def pid(self) -> int | None:
        """The Erlang machine's, if it is alive and is this node."""
        pid = processes.pid_in(self._pid_file)
        process = processes.living(pid) if pid is not None else None
        return pid if process is not None and self._is_ours(process) else None

    def answers(self) -> bool:
        """Whether the port talks AMQP; a node that half-died accepts and resets."""
        try:
            address = (LOOPBACK, self.memory.port("amqp"))
            with socket.create_connection(address, timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    @property
    def _pid_file(self) -> Path:
        return self.folder / "rabbitmq.pid"

    def _launch(self) -> int:
        """The pid of the server's script, which outlives us and nobody has to wait for."""
        self._pid_file.unlink(missing_ok=True)
        script = '"$0" >>"$1" 2>&1 </dev/null & echo $!'
        launched = subprocess.run(
            ["/bin/sh", "-c", script, str(self._server()), str(self.folder / "console.log")],
            env=self._environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            start_new_session=True,
            **self.identity.options(),
        )
        return int(launched.stdout)

    def _configure(self) -> None:
        self.identity.folder(self.folder)
        for folder in ("data", "config"):
            self.identity.folder(self.folder / folder)
        definitions = self.identity.file(self.folder / "definitions.json", self._definitions())
        settings = CONFIGURATION.format(
            host=LOOPBACK,
            amqp=self.memory.free_port("amqp"),
            management=self.memory.free_port("management"),
            definitions=definitions,
        )
        self.identity.file(self.folder / "rabbitmq.conf", settings)
        self.identity.file(self.folder / "enabled_plugins", "[rabbitmq_management].\n")
        self.memory.free_port("epmd")
        self.memory.free_port("dist")

    def _definitions(self) -> str:
        return json.dumps(
            {
                "users": [user_entry(USER, self._password, "administrator")],
                "vhosts": [{"name": VHOST}],
                "permissions": [{"user": USER, "vhost": VHOST, **EVERYTHING}],
            }
        )

    def _environment(self) -> dict[str, str]:
        folder, schedulers = self.folder, max(1, (os.cpu_count() or 2) // 2)
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"npms-{self.name}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": str(self.log),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
            "RABBITMQ_PID_FILE": str(self._pid_file),
            "RABBITMQ_DIST_PORT": str(self.memory.port("dist")),
            "ERL_EPMD_PORT": str(self.memory.port("epmd")),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ARGUMENTS.format(schedulers=schedulers),
        }

    def _server(self) -> Path:
        server = packages.rabbitmq_server()
        if server is None:
            raise StackError("RabbitMQ is not installed")
        return server

    def _telling_log(self) -> Path:
        return self.log if self.log.exists() else self.folder / "console.log"

    def _is_ours(self, process: psutil.Process) -> bool:
        return processes.environment_of(process).get("RABBITMQ_PID_FILE") == str(self._pid_file)

    def _family(self) -> list[psutil.Process]:
        """The Erlang machine, its script and its port programs, but not epmd."""
        return [
            process
            for process in psutil.process_iter(["name", "status"])
            if process.info["name"] != "epmd"
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and self._is_ours(process)
        ]

    def _end_epmd(self) -> None:
        """Our own port mapper, known by the environment that our node handed down to it."""
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "epmd" and self._is_ours(process):
                processes.end(process, seconds=5)
