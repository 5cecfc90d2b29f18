"""Credit policy as data: how far an account may go, who is warned when, when nobody is cut."""

from dataclasses import dataclass, field
from itertools import pairwise

from npms_ledger.domain.errors import PolicyError
from npms_ledger.domain.friendly import KindTimes

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Threshold:
    """Warn when the balance falls to `at_micro`; arm again when it stands at `rearm_micro`."""

    at_micro: int
    rearm_micro: int


@dataclass(frozen=True, slots=True)
class EmergencyTerms:
    """A loan of at most `limit_micro`, offered when the balance falls to `offer_at_micro`.

    It is offered once, and not again until the balance stands above `reoffer_above_micro`.
    """

    limit_micro: int
    offer_at_micro: int
    reoffer_above_micro: int
    needs_acceptance: bool = True


@dataclass(frozen=True, slots=True)
class LoadLimit:
    """Before the cut the supply may draw at most `power_w` for `for_minutes`."""

    power_w: int
    for_minutes: int


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """Credit lasts while the balance is above `floor_micro`; `thresholds` descend.

    `debt_share_ppm` of each top-up, in millionths, goes to debt. In a hold of `kind_times` a
    reminder is told `remind_minutes` before its end. With `load_limit` a supply whose meter can is
    limited before it is cut.

    Raises PolicyError where the parts contradict each other.
    """

    floor_micro: int = 0
    thresholds: tuple[Threshold, ...] = ()
    emergency: EmergencyTerms | None = None
    debt_share_ppm: int = 0
    kind_times: KindTimes = field(default_factory=KindTimes)
    remind_minutes: int = 60
    load_limit: LoadLimit | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.debt_share_ppm <= PPM:
            raise PolicyError("out_of_range", "debt_share_ppm")
        if self.remind_minutes < 0:
            raise PolicyError("negative", "remind_minutes")
        if self.load_limit is not None:
            _check_load_limit(self.load_limit)
        _check_thresholds(self.thresholds, self.floor_micro)
        if self.emergency is not None:
            _check_emergency(self.emergency, self.floor_micro)


def _check_load_limit(limit: LoadLimit) -> None:
    if limit.power_w <= 0:
        raise PolicyError("not_positive", "load_limit.power_w")
    if limit.for_minutes <= 0:
        raise PolicyError("not_positive", "load_limit.for_minutes")


def _check_thresholds(thresholds: tuple[Threshold, ...], floor_micro: int) -> None:
    for threshold in thresholds:
        if threshold.at_micro <= floor_micro:
            raise PolicyError("not_above_floor", "thresholds")
        if threshold.rearm_micro <= threshold.at_micro:
            raise PolicyError("rearm_not_above_threshold", "thresholds")
    for upper, lower in pairwise(thresholds):
        if lower.at_micro >= upper.at_micro or lower.rearm_micro > upper.rearm_micro:
            raise PolicyError("not_descending", "thresholds")


def _check_emergency(terms: EmergencyTerms, floor_micro: int) -> None:
    if terms.limit_micro <= 0:
        raise PolicyError("not_positive", "emergency.limit")
    if terms.offer_at_micro < floor_micro:
        raise PolicyError("below_floor", "emergency.offer_at")
    if terms.reoffer_above_micro < terms.offer_at_micro:
        raise PolicyError("below_offer", "emergency.reoffer_above")
