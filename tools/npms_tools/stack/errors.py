"""What could not be done, in one sentence, with the log to read and what to do."""

from pathlib import Path

from npms_operations.errors import CommandError

LINES_SHOWN = 12


class StackError(CommandError):
    """A step of the local stack failed; `log` is the file that knows more."""

    def __init__(self, sentence: str, *, log: Path | None = None, advice: str = "") -> None:
        super().__init__(sentence, advice=advice)
        self.log = log

    def parts(self) -> list[str]:
        """The end of the log comes before the advice."""
        first, *advice = super().parts()
        return [first, *(_told(self.log) if self.log is not None else []), *advice]


def _told(log: Path) -> list[str]:
    return [f"log: {log}", *(f"  | {line}" for line in last_lines(log))]


def last_lines(log: Path, count: int = LINES_SHOWN) -> list[str]:
    """The last lines of a log; none when it cannot be read."""
    try:
        return log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []
