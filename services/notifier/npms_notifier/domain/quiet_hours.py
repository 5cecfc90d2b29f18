"""Hours of the night in which nobody is woken for what can wait."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` until `end`, local time of the account; over midnight where end is earlier."""

    start: time
    end: time

    def wait(self, at: datetime, zone: ZoneInfo) -> timedelta:
        """How long to wait from `at` until it is no longer quiet; nothing when it is not."""
        local = at.astimezone(zone)
        if not self._contains(local.time()):
            return timedelta()
        until = local.replace(
            hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0, fold=0
        )
        if until.replace(tzinfo=None) <= local.replace(tzinfo=None):
            until += timedelta(days=1)
        return until.astimezone(at.tzinfo) - at

    def _contains(self, moment: time) -> bool:
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def parse_quiet_hours(text: str) -> QuietHours:
    """From "21:00-07:00"; raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("expected HH:MM-HH:MM")
    hours = QuietHours(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))
    if hours.start == hours.end:
        raise ValueError("the quiet hours are empty")
    return hours
