"""When to leave a silent unit alone, and when to try it again."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

LEAST_FAILURES = 2
"""A gateway with one meter is not given up after a single lost answer."""


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


@dataclass(slots=True)
class GatewayBreaker:
    """Open while nothing behind a gateway answers; then one unit is asked after each pause.

    It opens when every unit that was still asked has failed since the last answer, two failures
    at the least, or at once when the address takes no connection. Its units are known by any key,
    each with a breaker of its own, which is not charged for what is the gateway's fault.
    """

    policy: BreakerPolicy
    units: dict[Hashable, Breaker] = field(default_factory=dict)
    _silent: set[Hashable] = field(default_factory=set)
    _failures: int = 0
    _own: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self._own = Breaker(replace(self.policy, trip_after=1))

    @property
    def is_open(self) -> bool:
        return self._own.is_open

    @property
    def closed_to(self) -> float:
        """When the next probe may be sent."""
        return self._own.closed_to

    def heard(self) -> bool:
        """Something behind the gateway answered; True when it ends an outage.

        Units that fell silent during the outage are asked again without delay.
        """
        self._silent.clear()
        self._failures = 0
        if not self._own.succeed():
            return False
        for breaker in self.units.values():
            breaker.succeed()
        return True

    def missed(self, unit: Hashable, now: float, jitter: float = 0.0) -> bool:
        """A unit was asked in vain; True when that begins an outage."""
        self._silent.add(unit)
        self._failures += 1
        if not self._own.is_open and (self._failures < LEAST_FAILURES or self._someone_is_left()):
            return False
        return self._own.fail(now, jitter)

    def refused(self, now: float, until: float, jitter: float = 0.0) -> bool:
        """The address takes no connection, before `until` if that lies ahead; True when that
        begins an outage.
        """
        begins = self._own.fail(now, jitter)
        if until > now:
            self._own.closed_to = until
        return begins

    def _someone_is_left(self) -> bool:
        return any(
            not breaker.is_open and unit not in self._silent for unit, breaker in self.units.items()
        )
