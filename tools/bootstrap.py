"""Make `.venv` from the hashed lock, with the workspace's packages installed in place.

Runs on the system's Python with nothing installed; a second run costs nothing.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".npms-stamp"
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)
SHOWN_EVERY = 20

NETWORK_SIGNS = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Max retries"
    r"|ConnectTimeout|ReadTimeout|Connection (refused|broken|aborted|reset)|ProxyError"
    r"|Network is unreachable|SSLError"
)


class CannotError(Exception):
    """What cannot be done, in a sentence."""


def main() -> int:
    """Exit status 0 when the environment is ready."""
    try:
        bootstrap()
    except CannotError as fault:
        print(f"environment: {fault}", file=sys.stderr)
        return 1
    return 0


def bootstrap() -> None:
    """Bring `.venv` up to the lock, unless it is there already."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise CannotError(f"Python 3.11 or later is needed, this is {found}; set PYTHON=python3.11")
    with only_one():
        wanted = fingerprint()
        if STAMP.exists() and STAMP.read_text() == wanted and works():
            STAMP.touch()
            return
        STAMP.unlink(missing_ok=True)
        make_venv()
        install_locked()
        install_workspace()
        STAMP.write_text(wanted)
        say("ready")


def fingerprint() -> str:
    """Of all that decides what is installed; another Python or place needs another environment."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for file in (LOCK, *(package / "pyproject.toml" for package in packages())):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def packages() -> list[Path]:
    """The workspace's members."""
    services = sorted((ROOT / "services").glob("*/"))
    return [ROOT / "shared", *services, ROOT / "operations", ROOT / "tools"]


def works() -> bool:
    return PYTHON.exists() and succeeds([str(PYTHON), "-c", "import pip"])


def make_venv() -> None:
    if works():
        return
    ensure_venv_module()
    say("creating .venv")
    made = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        raise CannotError(f"python -m venv failed: {last_line(made.stdout + made.stderr)}")


def ensure_venv_module() -> None:
    """Debian keeps half of the module in a package of its own."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    missing = "this Python has no venv module"
    if shutil.which("apt-get") is None:
        raise CannotError(f"{missing}; install it with your system's package manager")
    if become and not (shutil.which("sudo") and succeeds([*become, "true"])):
        raise CannotError(f"{missing}; run `sudo apt-get install python3-venv`, then again")
    say("installing python3-venv")
    apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    run([*apt, "update"])
    done = run([*apt, "install", "--yes", "--no-install-recommends", "python3-venv"])
    if done.returncode != 0:
        raise CannotError(f"{missing}, and apt-get could not install it: {last_line(done.stderr)}")


def install_locked() -> None:
    total = len(re.findall(r"^[A-Za-z0-9]", LOCK.read_text(), re.MULTILINE))
    say(f"fetching {total} packages, checked against requirements.lock")
    pip("install", "--require-hashes", "-r", str(LOCK), total=total)


def install_workspace() -> None:
    say("installing the workspace's packages in place")
    places = [word for package in packages() for word in ("-e", str(package))]
    pip("install", "--no-build-isolation", "--no-deps", *places)


def pip(*words: str, total: int = 0) -> None:
    """Run pip, telling how far it is; its own words are shown only when it fails."""
    environment = os.environ | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_NO_INPUT": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [str(PYTHON), "-m", "pip", *words, "--progress-bar", "off"]
    lines, fetched = [], 0
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            counts = line.startswith(("Collecting ", "Processing "))
            fetched += counts
            if counts and total and fetched % SHOWN_EVERY == 0:
                say(f"{fetched} of {total}")
            if line.startswith("Installing collected"):
                say("unpacking")
    if process.returncode != 0:
        raise CannotError(complaint(lines))


def complaint(lines: list[str]) -> str:
    """A sentence on why pip failed."""
    said = "".join(lines)
    if NETWORK_SIGNS.search(said):
        return (
            "the package registry cannot be reached; check the network "
            "(or pip's own configuration), then run the same command again"
        )
    errors = [line for line in lines if line.startswith("ERROR")]
    return f"pip failed: {last_line(''.join(errors) or said)}"


@contextmanager
def only_one() -> Iterator[None]:
    """Two makes at once would spoil each other's environment."""
    guard = ROOT / ".run" / "bootstrap.lock"
    guard.parent.mkdir(exist_ok=True)
    with guard.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def succeeds(command: list[str]) -> bool:
    return run(command).returncode == 0


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def say(what: str) -> None:
    print(f"environment: {what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
