"""How many cuts may pass without a person: a fault in a price must not black out a town."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from npms_ledger.domain.debt import PPM

ALL = None
"""The group of all accounts; every other group is a policy's code."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """At most `cuts` cuts within `window`, and of a group of `min_group` accounts or more at most
    the share `share_ppm`; zero turns either off. A rejected cut is not made for `rejected_for`.
    """

    cuts: int = 500
    share_ppm: int = 100_000
    window: timedelta = timedelta(hours=1)
    min_group: int = 100
    rejected_for: timedelta = timedelta(hours=24)

    def most_counted(self, cuts: int) -> int:
        """How far a group must be counted: a larger one lets so many cuts pass."""
        if not self.share_ppm:
            return 0
        return max(cuts * PPM // self.share_ppm + 1, self.min_group)

    def ground(self, group: str | None, *, cuts: int, size: int) -> str | None:
        """Which limit so many cuts in a group exceed, in words; None if they may pass.

        `size` is the group's, or any number from `most_counted` on for a larger group.
        """
        minutes = int(self.window.total_seconds() // 60)
        if group is ALL and self.cuts and cuts > self.cuts:
            return f"{cuts} cuts within {minutes} minutes, {self.cuts} are allowed"
        if size >= self.min_group and self.share_ppm and cuts * PPM > self.share_ppm * size:
            of = "all accounts" if group is ALL else f"the accounts on {group!r}"
            allowed = f"{self.share_ppm / 10_000:g} %"
            return f"{cuts} cuts within {minutes} minutes are more than {allowed} of {of}"
        return None


def cuts_by_group(*tallies: Mapping[str, int]) -> dict[str | None, int]:
    """Cuts of each policy, and of all together, added up."""
    groups: dict[str | None, int] = {ALL: 0}
    for tally in tallies:
        for policy_code, cuts in tally.items():
            groups[policy_code] = groups.get(policy_code, 0) + cuts
            groups[ALL] += cuts
    return groups
