"""What a decision has to tell; amounts in micro-units of the account's currency."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ThresholdCrossed:
    """The balance fell to a threshold.

    `amount_to_avoid_cut_micro` is the smallest top-up that takes the balance out of the range
    warned of, that is, to where the warning is armed again.
    """

    threshold_micro: int
    balance_micro: int
    amount_to_avoid_cut_micro: int


@dataclass(frozen=True, slots=True)
class EmergencyOffered:
    limit_micro: int
    balance_micro: int


@dataclass(frozen=True, slots=True)
class EmergencyAccepted:
    limit_micro: int
    balance_micro: int


@dataclass(frozen=True, slots=True)
class CreditExhausted:
    """Nothing is left to draw on. Told on running out, shortly before a hold ends, at the cut."""

    balance_micro: int
    emergency_used_micro: int
    amount_to_clear_micro: int
    keeps_supply_until: datetime | None
    keeps_supply_reason: str | None


@dataclass(frozen=True, slots=True)
class CreditRestored:
    balance_micro: int


@dataclass(frozen=True, slots=True)
class ProtectionExpired:
    """The time for which a customer was protected from being cut is over."""

    balance_micro: int
    amount_to_clear_micro: int


CreditEvent = (
    ThresholdCrossed
    | EmergencyOffered
    | EmergencyAccepted
    | CreditExhausted
    | CreditRestored
    | ProtectionExpired
)
