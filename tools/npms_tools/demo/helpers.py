"""The world outside as processes: the street, the provider, the sinks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from npms_tools.stack.errors import StackError
from npms_tools.stack.pid_files import PidFile

START_S = 20.0
POLL_S = 0.05


class Helper:
    """A process of ours that answers on `url` once it is up."""

    def __init__(
        self, name: str, *, words: list[str], folder: Path, environment: Mapping[str, str], url: str
    ) -> None:
        self.name, self.url = name, url
        self.log = folder / "logs" / f"{name}.log"
        self._words, self._environment = words, environment
        self._pid_file = PidFile(folder / "services" / f"{name}.pid")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises StackError, with the log, when it does not come up."""
        self._pid_file.end()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._words],
                env={**os.environ, **self._environment, **self._pid_file.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write(self._process.pid)
        self._wait_up()

    def _wait_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(self.url, timeout=2)
            except httpx.TransportError:
                time.sleep(POLL_S)
            else:
                return
        raise StackError(f"{self.name} did not start", log=self.log, advice="read the log")

    @property
    def pid(self) -> int | None:
        """The process's, while it lives."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process else None

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
