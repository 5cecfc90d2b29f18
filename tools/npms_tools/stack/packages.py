"""Where the servers' programs are, and how they get here when they are not."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from npms_tools.stack.errors import StackError

Progress = Callable[[str], None]

OLDEST_POSTGRES = 15
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether an installed package may start its service; 101 says no."""


def postgres_binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres: the newest that is installed."""
    programs = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    installed = sorted((p.parent for p in programs), key=lambda folder: int(folder.parent.name))
    if installed:
        return installed[-1]
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def rabbitmq_server() -> Path | None:
    """The server's own script; Debian's wrapper in PATH would insist on its own user."""
    installed = sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))
    if installed:
        return installed[-1]
    found = shutil.which("rabbitmq-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
    return Path(found).resolve() if found else None


def mosquitto_program(name: str = "mosquitto") -> Path | None:
    """The MQTT broker, or another program of its package."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    return Path(found).resolve() if found else None


def ensure(
    *, postgres: bool = False, rabbitmq: bool = False, mosquitto: bool = False, progress: Progress
) -> None:
    """Install the distribution's packages of those servers that are wanted and missing."""
    wanted = []
    if postgres and postgres_binaries() is None:
        wanted.append("postgresql")
    if rabbitmq and rabbitmq_server() is None:
        wanted.append("rabbitmq-server")
    if mosquitto and mosquitto_program() is None:
        wanted.append("mosquitto")
    if wanted:
        install(wanted, progress=progress)


def install(packages: list[str], *, progress: Progress) -> None:
    """Install with apt-get, starting none of the packages' services now or at boot."""
    names = " and ".join(packages)
    if shutil.which("apt-get") is None:
        raise StackError(
            f"{names} not found, and this machine has no apt-get to install it with",
            advice="install them, or give NPMS_POSTGRES_URL and NPMS_AMQP_URL",
        )
    become = _become_root(names)
    units = [*packages, *([] if shutil.which("epmd") else ["epmd.socket", "epmd.service"])]
    with _no_services(become):
        progress(f"installing {names}: reading the package lists")
        updated = _apt(become, "update")
        progress(f"installing {names}: downloading and unpacking (a minute or two)")
        result = _apt(become, "install", "--yes", "--no-install-recommends", *packages)
    if result.returncode != 0:
        raise StackError(
            f"apt-get could not install {names}: {_last_word(result) or _last_word(updated)}",
            advice="install them by hand, or give NPMS_POSTGRES_URL and NPMS_AMQP_URL",
        )
    _keep_from_booting(become, units)


def _become_root(names: str) -> list[str]:
    if os.getuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and _succeeds([sudo, "-n", "true"]):
        return [sudo, "-n"]
    raise StackError(
        f"{names} not found, and installing needs root or a sudo that asks no password",
        advice=f"run `sudo apt-get install --no-install-recommends {names.replace(' and ', ' ')}`, "
        "or give NPMS_POSTGRES_URL and NPMS_AMQP_URL",
    )


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _apt(become: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    settings = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
    command = [*become, *settings, "apt-get", "-o", "DPkg::Lock::Timeout=120", "-q", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def _last_word(result: subprocess.CompletedProcess[str]) -> str:
    errors = [line for line in result.stderr.splitlines() if line.startswith("E:")]
    return errors[-1] if errors else ""


@contextlib.contextmanager
def _no_services(become: list[str]) -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    command = [*become, "install", "-m", "755", "/dev/stdin", str(POLICY)]
    subprocess.run(command, input=b"#!/bin/sh\nexit 101\n", check=True)
    try:
        yield
    finally:
        subprocess.run([*become, "rm", "-f", str(POLICY)], check=True)


def _keep_from_booting(become: list[str], units: list[str]) -> None:
    """The stranger's machine should not gain servers of its own at the next boot."""
    if shutil.which("systemctl") is not None:
        _succeeds([*become, "systemctl", "disable", *units])
