"""What a meter wants to know before it moves its relay. Never in a profile, never in a log."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from npms_shared.clock import wall_now

UTC = ZoneInfo("UTC")
VALID_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Access:
    """`password` is PA P0 P1 P2 and `operator` C0 C1 C2 C3, four bytes each in the order sent.

    Meters hold a command's end against their own clock, which shows the time of `zone`.
    """

    password: bytes = field(default=bytes(4), repr=False)
    operator: bytes = field(default=bytes(4), repr=False)
    zone: ZoneInfo = UTC
    now: Callable[[], datetime] = wall_now

    def valid_until(self) -> datetime:
        """As the meter's clock shows it: after this a command that was held up does nothing."""
        return (self.now() + VALID_FOR).astimezone(self.zone)
