"""What the street did: every fault that struck, and every energy register that was shown."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT_FAULTS = 500_000
KEPT_SHOWN = 2_000_000


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault at work. `at_s` is business time; `subject` a serial, or `host:port` of a gateway."""

    at_s: float
    subject: str
    fault: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ShownRegister:
    """An answer with the import register in it.

    `shown_wh` is what the meter said, `true_wh` what it should have said; `fault` tells why they
    differ. `energy_wh` is all it ever counted, also where its register was cleared or set since.
    """

    at_s: float
    serial: str
    shown_wh: int
    true_wh: int
    energy_wh: int
    fault: str = ""


class Journal:
    """Bounded: the oldest give way, and `lost` counts them."""

    def __init__(self, *, keeps_shown: bool = False) -> None:
        self.keeps_shown = keeps_shown
        self.faults: deque[Struck] = deque(maxlen=KEPT_FAULTS)
        self.shown: deque[ShownRegister] = deque(maxlen=KEPT_SHOWN)
        self.counts: Counter[str] = Counter()
        self.lost = 0

    def strike(self, at_s: float, subject: str, fault: str, detail: str = "") -> None:
        self.counts[fault] += 1
        self.lost += len(self.faults) == KEPT_FAULTS
        self.faults.append(Struck(at_s, subject, fault, detail))

    def show(self, entry: ShownRegister) -> None:
        if self.keeps_shown:
            self.lost += len(self.shown) == KEPT_SHOWN
            self.shown.append(entry)

    def told(self, *, since_s: float = 0, subject: str | None = None) -> list[dict[str, Any]]:
        """Faults as the control interface shows them."""
        return [
            asdict(entry)
            for entry in self.faults
            if entry.at_s >= since_s and subject in {None, entry.subject}
        ]
