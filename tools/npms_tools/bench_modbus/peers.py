"""Clients that others wrote, brought here where that is possible; others are said to be absent."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from npms_tools.stack import packages
from npms_tools.stack.errors import StackError
from npms_tools.stack.packages import Progress

CLIENTS = Path(__file__).parent / "clients"
HOME = Path(".run/modbus-peers")
LIBMODBUS_HEADER = Path("/usr/include/modbus/modbus.h")
MODBUS_SERIAL = "modbus-serial@8.0.25"


@dataclass(frozen=True, slots=True)
class Peer:
    """`command` takes port, connections, seconds and count; without one, `absent` says why."""

    name: str
    command: tuple[str, ...] = ()
    absent: str = ""


def find(progress: Progress) -> list[Peer]:
    HOME.mkdir(parents=True, exist_ok=True)
    return [_libmodbus(progress), _modbus_serial(progress)]


def _libmodbus(progress: Progress) -> Peer:
    name, program = "libmodbus (C)", HOME / "libmodbus"
    compiler = shutil.which("cc")
    if compiler is None:
        return Peer(name, absent="no C compiler")
    try:
        if not LIBMODBUS_HEADER.exists():
            packages.install(["libmodbus-dev"], progress=progress)
    except StackError as fault:
        return Peer(name, absent=str(fault))
    return _built(
        name,
        [compiler, "-O2", "-pthread", f"-I{LIBMODBUS_HEADER.parent}",
         str(CLIENTS / "libmodbus.c"), "-lmodbus", "-o", str(program)],
        (str(program.resolve()),),
    )  # fmt: skip


def _modbus_serial(progress: Progress) -> Peer:
    name = "modbus-serial (node)"
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return Peer(name, absent="no node, or no npm")
    progress(f"installing {MODBUS_SERIAL} into {HOME}")
    script = HOME / "modbus_serial.js"
    shutil.copyfile(CLIENTS / script.name, script)
    return _built(
        name,
        [npm, "install", "--prefix", str(HOME), "--no-audit", "--no-fund", "--ignore-scripts",
         "--omit=optional", MODBUS_SERIAL],
        (node, str(script.resolve())),
    )  # fmt: skip


def _built(name: str, build: list[str], command: tuple[str, ...]) -> Peer:
    result = subprocess.run(build, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return Peer(name, command)
    return Peer(name, absent=(result.stderr.strip().splitlines() or ["it could not be built"])[-1])
