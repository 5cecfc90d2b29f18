"""What a rule found: what it looked at, and what is broken about which thing."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` names the thing that breaks the rule, e.g. `installation 17`; `says` how."""

    subject: str
    says: str


@dataclass(slots=True)
class Result:
    """One rule's outcome. `checked` counts what was looked at, by what it is."""

    rule: str
    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.findings

    def count(self, what: str, number: int = 1) -> None:
        self.checked[what] = self.checked.get(what, 0) + number

    def broken(self, subject: str, says: str) -> None:
        self.findings.append(Finding(subject, says))

    def expect(self, subject: str, fact: str, *, found: object, expected: object) -> None:
        """Broken unless what was found is what was expected."""
        if found != expected:
            self.broken(subject, f"{fact} is {found}, expected {expected}")
