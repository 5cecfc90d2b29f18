"""How often a wrong voucher may be tried: so many times within a sliding window, then not.

Attempts made while locked are not counted, so that the wait that was told stays true.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `failures` wrong attempts within `window` of wall time."""

    failures: int
    window: timedelta

    def wait(self, failed_at: Sequence[datetime], *, at: datetime) -> timedelta:
        """How long from `at` until another attempt may be made; zero if now."""
        recent = self._recent(failed_at, at=at)
        if len(recent) < self.failures:
            return timedelta(0)
        return recent[-self.failures] + self.window - at

    def after_failure(self, failed_at: Sequence[datetime], *, at: datetime) -> list[datetime]:
        """The failures to remember once another one happened at `at`, oldest first."""
        return [*self._recent(failed_at, at=at), at][-self.failures :]

    def _recent(self, failed_at: Sequence[datetime], *, at: datetime) -> list[datetime]:
        return sorted(moment for moment in failed_at if moment > at - self.window)
