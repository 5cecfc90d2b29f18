"""Whom the nodes run as: oneself, or an unprivileged user when one is root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npms_tools.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of this machine; `switched` when it is not the one we are."""

    name: str
    uid: int
    gid: int
    switched: bool

    def options(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make the child run as this user."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def folder(self, path: Path) -> Path:
        """The folder, made if need be, closed to everybody else."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid != self.uid:
            self._own_all(path)
        return path

    def file(self, path: Path, content: str) -> Path:
        """A file that only this user reads."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(content)
        if self.switched:
            os.chown(path, self.uid, self.gid)
        return path

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter the folder."""
        check = ["/usr/bin/test", "-x", str(path)]
        return subprocess.run(check, check=False, cwd="/", **self.options()).returncode == 0

    def _own_all(self, path: Path) -> None:
        if not self.switched:
            raise StackError(
                f"{path} belongs to another user", advice="remove it, or run as that user"
            )
        for entry in (path, *path.rglob("*")):
            os.chown(entry, self.uid, self.gid, follow_symlinks=False)


def unprivileged(*preferred: str) -> Identity:
    """Oneself, or for root the first of these users that exists, else `nobody`."""
    if os.getuid() != 0:
        return Identity(name=str(os.getuid()), uid=os.getuid(), gid=os.getgid(), switched=False)
    for name in (*preferred, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(name=name, uid=entry.pw_uid, gid=entry.pw_gid, switched=True)
    raise StackError("root may not run the nodes and there is no user `nobody`")
