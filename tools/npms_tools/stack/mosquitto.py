"""A private Mosquitto on loopback: the MQTT broker that meters of tests report to."""

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from npms_tools.stack import packages, processes
from npms_tools.stack.errors import StackError
from npms_tools.stack.identity import Identity
from npms_tools.stack.memory import Memory
from npms_tools.stack.ports import LOOPBACK

USER = "npms"
START_S = 20
STOP_S = 20

CONFIGURATION = """\
listener {port} {host}
allow_anonymous false
password_file {folder}/passwords
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_inflight_messages 1000
max_queued_messages 0
log_dest file {folder}/mosquitto.log
pid_file {folder}/mosquitto.pid
"""
"""Everything that changes is written at once, and nothing is dropped for want of room."""


@dataclass(frozen=True, slots=True)
class MosquittoNode:
    """One broker in `folder`, run by `identity`, with its port and password in `memory`."""

    folder: Path
    identity: Identity
    memory: Memory

    @property
    def url(self) -> str:
        return f"mqtt://{USER}@{LOOPBACK}:{self.port}"

    @property
    def port(self) -> int:
        return self.memory.port(self.folder.name)

    @property
    def password(self) -> str:
        return self.memory.secret("mqtt")

    def start(self) -> None:
        """Start, or leave alone what runs and answers; sessions of the last time are kept."""
        if self.pid() is not None and processes.wait_until(self.answers, seconds=START_S):
            return
        self.kill()
        settings = self._configure()
        subprocess.run(
            [self._program("mosquitto"), "-c", str(settings), "-d"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            start_new_session=True,
            **self.identity.options(),
        )
        if not processes.wait_until(self.answers, seconds=START_S):
            log = self.folder / "mosquitto.log"
            raise StackError("Mosquitto did not start", log=log, advice="make clean")

    def stop(self) -> None:
        """Stop in good order."""
        process = self._process()
        if process is not None:
            processes.end(process, seconds=STOP_S)

    def kill(self) -> None:
        """SIGKILL, as if the machine had lost its power."""
        process = self._process()
        if process is not None:
            process.kill()
            processes.wait_until(lambda: self._process() is None, seconds=10)

    def pid(self) -> int | None:
        process = self._process()
        return process.pid if process is not None else None

    def answers(self) -> bool:
        try:
            address = (LOOPBACK, self.port)
            with socket.create_connection(address, timeout=2):
                return True
        except OSError:
            return False

    def _process(self) -> psutil.Process | None:
        """The broker's, if it is alive and is this one."""
        pid = processes.pid_in(self.folder / "mosquitto.pid")
        process = processes.living(pid) if pid is not None else None
        try:
            ours = process is not None and str(self._settings) in process.cmdline()
        except psutil.Error:
            return None
        return process if ours else None

    @property
    def _settings(self) -> Path:
        return self.folder / "mosquitto.conf"

    def _configure(self) -> Path:
        self.identity.folder(self.folder)
        passwords = self.identity.file(self.folder / "passwords", f"{USER}:{self.password}\n")
        subprocess.run(
            [self._program("mosquitto_passwd"), "-U", str(passwords)],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self.identity.options(),
        )
        settings = CONFIGURATION.format(
            port=self.memory.free_port(self.folder.name), host=LOOPBACK, folder=self.folder
        )
        return self.identity.file(self._settings, settings)

    def _program(self, name: str) -> str:
        program = packages.mosquitto_program(name)
        if program is None:
            raise StackError("Mosquitto is not installed")
        return str(program)
