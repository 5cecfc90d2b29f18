"""Credit policy as data: how far an account may go, who is warned when, when nobody is cut."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from npms_ledger.domain.debt import PPM
from npms_ledger.domain.errors import PolicyError
from npms_ledger.domain.friendly import KindTimes
from npms_ledger.domain.periods import PerPeriod


class Step(StrEnum):
    """Where a top-up goes, in an order that the policy chooses.

    `accumulated` raises the balance to the floor: it pays for what was used below it, in a hold
    or before a cut came through. What all steps leave goes to the balance.
    """

    VEND_CHARGES = "vend_charges"
    PAYMENT_DEBT = "payment_debt"
    ACCUMULATED = "accumulated"
    EMERGENCY_CREDIT = "emergency_credit"
    BALANCE = "balance"


WATERFALL = tuple(Step)


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
class Grace:
    """For `days` after the opening the floor is `floor_micro`: time to get used to prepayment."""

    days: int
    floor_micro: int


@dataclass(frozen=True, slots=True)
class VendLimits:
    """Which top-ups are accepted, and up to which balance; None: any."""

    minimum_micro: int | None = None
    maximum_micro: int | None = None
    maximum_balance_micro: int | None = None


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """Credit lasts while the balance is above `floor_micro`; `thresholds` descend.

    `debt_share_ppm` of what a top-up has left, in millionths, goes to debts without a share of
    their own, and to all debts together no more than `debt_cap`. In a hold of `kind_times` a
    reminder is told `remind_minutes` before its end. With `load_limit` a supply whose meter can is
    limited before it is cut. After a chargeback that leaves no credit a supply that is on stays on
    for `chargeback_grace_hours`. What is sold at once keeps within `vend`.

    Raises PolicyError where the parts contradict each other.
    """

    floor_micro: int = 0
    thresholds: tuple[Threshold, ...] = ()
    emergency: EmergencyTerms | None = None
    debt_share_ppm: int = 0
    kind_times: KindTimes = field(default_factory=KindTimes)
    remind_minutes: int = 60
    load_limit: LoadLimit | None = None
    waterfall: tuple[Step, ...] = WATERFALL
    debt_cap: PerPeriod | None = None
    grace: Grace | None = None
    vend: VendLimits = VendLimits()
    chargeback_grace_hours: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.debt_share_ppm <= PPM:
            raise PolicyError("out_of_range", "debt_share_ppm")
        if self.remind_minutes < 0:
            raise PolicyError("negative", "remind_minutes")
        if self.chargeback_grace_hours < 0:
            raise PolicyError("negative", "chargeback_grace_hours")
        if self.load_limit is not None:
            _check_load_limit(self.load_limit)
        _check_thresholds(self.thresholds, self.floor_micro)
        if self.emergency is not None:
            _check_emergency(self.emergency, self.floor_micro)
        _check_waterfall(self.waterfall)
        if self.debt_cap is not None and self.debt_cap.amount_micro <= 0:
            raise PolicyError("not_positive", "debt_cap.amount")
        if self.grace is not None:
            _check_grace(self.grace, self.floor_micro)
        _check_vend(self.vend)


def lends_micro(policy: CreditPolicy) -> int:
    """The most that an account may use, on the policy's word alone, beyond what was paid."""
    floors = [policy.floor_micro, *([policy.grace.floor_micro] if policy.grace else [])]
    return max(0, -min(floors)) + (policy.emergency.limit_micro if policy.emergency else 0)


def in_force(
    policy: CreditPolicy, *, opened_at: datetime | None, now: datetime
) -> tuple[CreditPolicy, datetime | None]:
    """The policy as it is at `now` for an account, and when it becomes another; None: never."""
    if policy.grace is None or opened_at is None:
        return policy, None
    ends_at = opened_at + timedelta(days=policy.grace.days)
    if now >= ends_at:
        return policy, None
    return replace(policy, floor_micro=policy.grace.floor_micro, grace=None), ends_at


def refusal(policy: CreditPolicy, *, amount_micro: int, balance_after_micro: int) -> str | None:
    """Why a top-up that would leave this balance is refused, if it is: below_minimum,
    above_maximum, balance_too_high.
    """
    limits = policy.vend
    if limits.minimum_micro is not None and amount_micro < limits.minimum_micro:
        return "below_minimum"
    if limits.maximum_micro is not None and amount_micro > limits.maximum_micro:
        return "above_maximum"
    highest = limits.maximum_balance_micro
    if highest is not None and balance_after_micro > highest:
        return "balance_too_high"
    return None


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


def _check_waterfall(steps: tuple[Step, ...]) -> None:
    if sorted(steps) != sorted(Step):
        raise PolicyError("not_each_step_once", "waterfall")
    if steps[-1] is not Step.BALANCE:
        raise PolicyError("balance_not_last", "waterfall")


def _check_grace(grace: Grace, floor_micro: int) -> None:
    if grace.days <= 0:
        raise PolicyError("not_positive", "grace.days")
    if grace.floor_micro >= floor_micro:
        raise PolicyError("not_below_floor", "grace.floor")


def _check_vend(limits: VendLimits) -> None:
    low, high = limits.minimum_micro, limits.maximum_micro
    if low is not None and low <= 0:
        raise PolicyError("not_positive", "vend.minimum")
    if high is not None and high <= 0:
        raise PolicyError("not_positive", "vend.maximum")
    if low is not None and high is not None and high < low:
        raise PolicyError("below_minimum", "vend.maximum")
    balance = limits.maximum_balance_micro
    if balance is not None and balance <= 0:
        raise PolicyError("not_positive", "vend.maximum_balance")
