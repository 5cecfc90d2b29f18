"""What an import could not carry over, or carries with another meaning."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["left_out", "differs"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in the imported document (a JSON pointer) and what became of it."""

    pointer: str
    kind: Kind
    reason: str


class CannotImport(Exception):
    """The document has no price of energy that a plan could have; says where and why."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(f"{pointer or '/'}: {reason}")
        self.pointer, self.reason = pointer, reason


@dataclass(slots=True)
class Imported:
    """A plan document, and everything that is not in it as it was."""

    document: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def left_out(self, pointer: str, reason: str) -> None:
        self.findings.append(Finding(pointer, "left_out", reason))

    def differs(self, pointer: str, reason: str) -> None:
        self.findings.append(Finding(pointer, "differs", reason))
