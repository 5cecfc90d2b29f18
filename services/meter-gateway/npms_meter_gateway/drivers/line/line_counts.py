"""How a line has been doing: what was asked, what came of it, how long the line was busy."""

from collections import Counter
from dataclasses import dataclass, field

from npms_meter_gateway.drivers.line.errors import LinkFault


@dataclass(slots=True)
class LineCounts:
    """Counts since it was last taken. `faults` is by cause, `busy_s` the time with a request on
    the line; what never reached the line is not `asked`.
    """

    asked: int = 0
    answered: int = 0
    busy_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    def count(self, took_s: float, fault: LinkFault | None) -> None:
        """One request is over."""
        self.asked += 1
        self.busy_s += took_s
        if fault is None:
            self.answered += 1
        else:
            self.faults[fault.cause] += 1

    def take(self) -> "LineCounts":
        """What was counted; counting begins anew."""
        taken = LineCounts(self.asked, self.answered, self.busy_s, self.faults)
        self.asked, self.answered, self.busy_s, self.faults = 0, 0, 0.0, Counter()
        return taken
