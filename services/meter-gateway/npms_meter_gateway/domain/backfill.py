"""Registers that a meter froze while nobody read it: which of them can be believed, and when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_meter_gateway.domain.records import Freezes, Frozen

SHORTEST = {"day": timedelta(days=1), "month": timedelta(days=28)}
TRUSTED_CHANGE_S = 900
"""A clock that is off by so much more than before was changed in between: nobody knows when."""


def may_lie_in(freezes: Freezes, gap: timedelta) -> bool:
    """Whether a gap is so long that a freeze must lie in it."""
    return gap >= SHORTEST[freezes.every]


def is_trusted(drift_s: int, known_drift_s: int | None) -> bool:
    """Whether times of the gap can be told from what the clock shows after it."""
    return known_drift_s is None or abs(drift_s - known_drift_s) <= TRUSTED_CHANGE_S


def within(
    newest_first: Sequence[Frozen],
    *,
    after: datetime,
    before: datetime,
    policy: ClockPolicy,
    drift_s: int,
) -> list[tuple[int, int]]:
    """(epoch second, register in Wh) of those frozen between two moments, the oldest first.

    Their times are of the meter's clock, which is `drift_s` ahead. Those behind one that is out of
    order are of a time before the clock was changed, and are left out.
    """
    found: list[tuple[int, int]] = []
    later = int(before.timestamp())
    for frozen in newest_first:
        at_s = int(policy.instant(frozen.at, drift_s).timestamp())
        if not after.timestamp() < at_s < later:
            break
        found.append((at_s, frozen.register_wh))
        later = at_s
    return found[::-1]
