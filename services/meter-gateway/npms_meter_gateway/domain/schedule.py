"""When a meter is read: each group of its points on its own cadence, merged where they meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, inf

from npms_meter_gateway.domain.point import POWER, Group
from npms_meter_gateway.domain.profile import RELAY, Profile

MERGED = 0.1
"""A group is read along when it is due within this share of its interval."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds between two reads of each group; 0 is never."""

    billing_s: float
    fast_s: float = 0.0
    slow_s: float = 0.0

    @property
    def intervals(self) -> Mapping[Group, float]:
        """Of the groups that are read at all."""
        all_s = {Group.BILLING: self.billing_s, Group.FAST: self.fast_s, Group.SLOW: self.slow_s}
        return {group: interval_s for group, interval_s in all_s.items() if interval_s > 0}


@dataclass(slots=True)
class PollSchedule:
    """When each group of one meter is due, in seconds of a steady clock.

    After its first read a group keeps to a grid: `phase` (0 … 1) of its interval after
    `origin`, so that the meters of a fleet are spread, and stay so.
    """

    intervals: Mapping[Group, float]
    phase: float
    origin: float
    first: float
    due: dict[Group, float] = field(init=False)

    def __post_init__(self) -> None:
        self.due = dict.fromkeys(self.intervals, self.first)

    @property
    def next_due(self) -> float:
        return min(self.due.values(), default=inf)

    def groups_at(self, now: float) -> frozenset[Group]:
        """Those due, and those so soon due that one read brings both; none before `next_due`."""
        if now < self.next_due:
            return frozenset()
        return frozenset(
            group
            for group, due in self.due.items()
            if due <= now or due - now <= MERGED * self.intervals[group]
        )

    def done(self, groups: frozenset[Group], now: float) -> None:
        """They were read: each is due again at its next slot; slots missed are left out."""
        for group in groups:
            interval_s = self.intervals[group]
            start = self.origin + self.phase * interval_s
            after = max(now, self.due[group])
            self.due[group] = start + (floor((after - start) / interval_s) + 1) * interval_s

    def hurry(self, group: Group, now: float) -> None:
        """Due at the next opportunity, where it is read at all."""
        if group in self.due:
            self.due[group] = min(self.due[group], now)


def names_of(profile: Profile, group: Group) -> frozenset[str]:
    """The points of a group, and the relay's state wherever power is looked at.

    Whether or not a group of their own is read fast, the slow one has all that is not billed.
    """
    if group is Group.SLOW:
        return frozenset(profile.points) - profile.names_of(Group.BILLING)
    return profile.names_of(group) | {POWER, RELAY}
