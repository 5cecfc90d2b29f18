"""A process that we started, found again by a later start of ours.

The pid file alone could name a stranger; the process proves itself by the
variable in its environment.
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

from npms_tools.stack import processes

VARIABLE = "NPMS_PID_FILE"


@dataclass(frozen=True, slots=True)
class PidFile:
    """Start the process with `environment()` and tell `write` its pid."""

    path: Path

    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self.path)}

    def write(self, pid: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{pid}\n")

    def process(self) -> psutil.Process | None:
        """The process, if it is alive and ours."""
        pid = processes.pid_in(self.path)
        process = processes.living(pid) if pid is not None else None
        if process is None:
            return None
        ours = processes.environment_of(process).get(VARIABLE) == str(self.path)
        return process if ours else None

    def end(self, *, seconds: float = 15) -> None:
        """Stop the process, if it is still there, and forget it."""
        process = self.process()
        if process is not None:
            processes.end(process, seconds=seconds)
        self.path.unlink(missing_ok=True)


def end_all(folder: Path) -> None:
    """Stop whatever the pid files of a folder still name."""
    for path in folder.glob("*.pid"):
        PidFile(path).end()
