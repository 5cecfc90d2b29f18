"""Processes told apart by what they are, not by a number that may have been given again."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

POLL_S = 0.05


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def living(pid: int) -> psutil.Process | None:
    """The process, unless it has ended (a zombie has)."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def pid_in(file: Path) -> int | None:
    """The number on the first line of a pid file."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}


def folder_of(process: psutil.Process) -> Path | None:
    """Where it works; unknown for another user's process."""
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def end(process: psutil.Process, *, seconds: float) -> None:
    """SIGTERM, and SIGKILL when that did not help in time."""
    try:
        process.terminate()
        if not wait_until(lambda: living(process.pid) is None, seconds=seconds):
            process.kill()
            wait_until(lambda: living(process.pid) is None, seconds=5)
    except psutil.NoSuchProcess:
        return
