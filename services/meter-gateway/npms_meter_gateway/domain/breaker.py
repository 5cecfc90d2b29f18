"""When to leave a silent unit alone, and when to try it again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """`trip_after` failures in a row open it; pauses double from the first to the longest."""

    trip_after: int = 2
    first_pause_s: float = 5.0
    longest_pause_s: float = 300.0


@dataclass(slots=True)
class Breaker:
    """Closed until `trip_after` failures in a row; then one probe after each pause.

    Times are seconds of any steady clock. `jitter` (0 … 1) spreads the probes
    of many units that failed together over an extra fifth of the pause.
    """

    policy: BreakerPolicy
    failures: int = 0
    closed_to: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.failures >= self.policy.trip_after

    def allows(self, now: float) -> bool:
        """Whether a request may be sent at all."""
        return not self.is_open or now >= self.closed_to

    def succeed(self) -> bool:
        """Note an answer; True when it ends an outage."""
        ended = self.is_open
        self.failures = 0
        return ended

    def fail(self, now: float, jitter: float = 0.0) -> bool:
        """Note a failure; True when it begins an outage."""
        self.failures += 1
        if not self.is_open:
            return False
        beyond = self.failures - self.policy.trip_after
        pause = min(self.policy.first_pause_s * 2 ** min(beyond, 30), self.policy.longest_pause_s)
        self.closed_to = now + pause * (1 + 0.2 * jitter)
        return beyond == 0
