"""What could not be done, in one sentence, with the log to read and what to do."""

from pathlib import Path

LINES_SHOWN = 12


class StackError(Exception):
    """A step of the local stack failed; `log` is the file that knows more."""

    def __init__(self, sentence: str, *, log: Path | None = None, advice: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.log, self.advice = sentence, log, advice

    def __str__(self) -> str:
        parts = [self.sentence]
        if self.log is not None:
            parts.append(f"log: {self.log}")
            parts += [f"  | {line}" for line in last_lines(self.log)]
        if self.advice:
            parts.append(f"what to do: {self.advice}")
        return "\n".join(parts)


def last_lines(log: Path, count: int = LINES_SHOWN) -> list[str]:
    """The last lines of a log; none when it cannot be read."""
    try:
        return log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []
