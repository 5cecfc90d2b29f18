"""The same use of energy under two plans, and the steps of a simulation of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from npms_tariff.domain.simulation import Cost


@dataclass(slots=True)
class Compared:
    """What energy cost under the plan that was in force, and under the other one, in micro-units.

    `charged_micro` is what was charged for these hours when they were rated;
    `components` is (old, new) by component; `exact` whether use by the hour is all
    that both plans need to know.
    """

    energy_wh: int = 0
    old_micro: int = 0
    new_micro: int = 0
    charged_micro: int = 0
    components: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    exact: bool = True

    @classmethod
    def of(cls, old: Cost, new: Cost, *, charged_micro: int, exact: bool) -> "Compared":
        made = cls(old.energy_wh, old.amount_micro, new.amount_micro, charged_micro, exact=exact)
        for side, cost in enumerate((old, new)):
            for name, amount_micro in cost.components.items():
                made.components[name][side] += amount_micro
        return made

    def add(self, other: "Compared") -> None:
        self.energy_wh += other.energy_wh
        self.old_micro += other.old_micro
        self.new_micro += other.new_micro
        self.charged_micro += other.charged_micro
        self.exact = self.exact and other.exact
        for name, (old_micro, new_micro) in other.components.items():
            self.components[name][0] += old_micro
            self.components[name][1] += new_micro


@dataclass(frozen=True, slots=True)
class Begun:
    """The first line: how many accounts will be rated again, and how many were chosen that are of
    another commodity or currency than the plan."""

    accounts: int
    others: int


@dataclass(frozen=True, slots=True)
class AccountCompared:
    account_id: int
    compared: Compared


@dataclass(frozen=True, slots=True)
class AccountLeftOut:
    """It cannot be rated; `code` says why.

    No version was in force when its rating begins; it was not open in the span; hours
    from the beginning of the span's month on are no longer kept.
    """

    account_id: int
    code: Literal["no_plan", "not_open", "hours_dropped"]


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    accounts: int


@dataclass(frozen=True, slots=True)
class Total:
    """The last line; an answer without it is incomplete."""

    accounts: int
    left_out: int
    compared: Compared


SimulationStep = Begun | AccountCompared | AccountLeftOut | Progress | Total
