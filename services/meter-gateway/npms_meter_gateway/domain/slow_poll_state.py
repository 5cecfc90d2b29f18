"""What slow polls learned of a meter so far."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class SlowPollState:
    """`drift_s` is how far the clock was ahead at `drift_at`; `log_head` the mark of the newest
    entry told; `serial` the meter that is believed, `seen_serial` the one seen last,
    `installed_serial` what it was called when it was installed.
    """

    drift_s: int | None = None
    drift_at: datetime | None = None
    clock_set_on: date | None = None
    log_head: str | None = None
    serial: str | None = None
    seen_serial: str | None = None
    installed_serial: str | None = None
