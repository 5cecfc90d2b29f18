"""How long a balance will last, from what recent days cost.

Each weekday is expected to cost what that weekday did, recent weeks counting more,
drawn towards the average of all days while there are few of it. Estimates, not accounts:
floats inside, and nothing is charged by them.
"""

from collections.abc import Sequence

DAYS_NEEDED = 7
"""Fewer full days say nothing about a week."""
DAYS_USED = 56
HALVED_AFTER_DAYS = 14
"""A day counts half as much as one so much later."""
PRIOR_WEIGHT = 1.0
"""How many days' worth the average of all weekdays weighs against a weekday's own."""
FARTHEST_DAYS = 3650
WEEK = 7

Profile = tuple[float, ...]
"""What a day is expected to use or cost, by weekday; Monday is 0."""


def weekday_profile(used: Sequence[int], last_weekday: int) -> Profile:
    """From the use of consecutive full days, the last of which was a `last_weekday`.

    Needs a day at least; what lies more than `DAYS_USED` back does not count.
    """
    sums, weights = [0.0] * WEEK, [0.0] * WEEK
    for age, amount in enumerate(reversed(used[-DAYS_USED:])):
        weekday = (last_weekday - age) % WEEK
        weight = 0.5 ** (age / HALVED_AFTER_DAYS)
        sums[weekday] += weight * amount
        weights[weekday] += weight
    level = sum(sums) / sum(weights)
    return tuple(
        (total + PRIOR_WEIGHT * level) / (weight + PRIOR_WEIGHT)
        for total, weight in zip(sums, weights, strict=True)
    )


def naive_profile(used: Sequence[int]) -> Profile:
    """The last day's use continues: what a forecast has to beat."""
    return (float(used[-1]),) * WEEK


def days_left(
    balance: int, profile: Profile, *, weekday: int, day_gone: float = 0.0
) -> float | None:
    """Days until a balance is used up, from a point in a day; None beyond ten years.

    `day_gone` is the share of the current day (a `weekday`) that is over; a day's use is
    spread evenly over it. A balance of nothing lasts no time.
    """
    if balance <= 0:
        return 0.0
    left, gone, share = float(balance), 0.0, 1.0 - day_gone
    while gone < FARTHEST_DAYS:
        need = profile[weekday % WEEK] * share
        if need >= left:
            return gone + share * left / need
        left, gone, weekday, share = left - need, gone + share, weekday + 1, 1.0
    return None
