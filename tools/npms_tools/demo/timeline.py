"""Business time of the demonstration: faster than the clock on the wall, and never going back."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from npms_shared.clock import VARIABLE, ScaledClock, wall_now

SPEED = 600
ZONE = ZoneInfo("Africa/Nairobi")
FIRST_HOUR = 17
PAUSE = timedelta(minutes=30)
"""Between the end of one run and the beginning of the next."""


class Timeline:
    """Begins where the last run left off, or today at five in the afternoon."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.clock = ScaledClock(anchor=wall_now(), start=self._start(), speed=SPEED)

    def environment(self) -> dict[str, str]:
        """The clock for every process of the demonstration."""
        anchor, start = self.clock.anchor.isoformat(), self.clock.start.isoformat()
        return {VARIABLE: f"anchor={anchor};start={start};speed={SPEED}"}

    def local_now(self) -> datetime:
        return self.clock.now().astimezone(ZONE)

    def keep(self) -> None:
        """Remember how far time has come."""
        self._file.write_text(json.dumps({"reached": self.clock.now().isoformat()}))

    def _start(self) -> datetime:
        first = (
            wall_now().astimezone(ZONE).replace(hour=FIRST_HOUR, minute=0, second=0, microsecond=0)
        )
        if not self._file.exists():
            return first
        reached = datetime.fromisoformat(json.loads(self._file.read_text())["reached"])
        return max(first, reached + PAUSE)
