"""What counts when the quality of a line is judged."""

from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = {"no_answer": "timeouts", "refused": "exceptions", "peer_closed": "drops"}


@dataclass(frozen=True, slots=True)
class LineQuality:
    """Requests of a gateway over some time. `bad_answers` were answers to something else, or to
    nothing; `busy_ms` is how long a request was on the line.
    """

    gateway_id: int
    asked: int
    answered: int
    timeouts: int
    exceptions: int
    drops: int
    bad_answers: int
    busy_ms: int


def line_quality(
    gateway_id: int, *, asked: int, answered: int, faults: Mapping[str, int], busy_s: float
) -> LineQuality:
    """From counts whose faults are by cause."""
    known = {column: faults.get(cause, 0) for cause, column in COLUMNS.items()}
    return LineQuality(
        gateway_id=gateway_id,
        asked=asked,
        answered=answered,
        **known,
        bad_answers=asked - answered - sum(known.values()),
        busy_ms=round(busy_s * 1000),
    )
