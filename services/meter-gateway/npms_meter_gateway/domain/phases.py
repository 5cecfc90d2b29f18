"""What the voltages and powers of three phases tell. No energy is corrected by it."""

from collections.abc import Mapping
from fractions import Fraction

OF_VOLTAGES = frozenset({"phase_loss", "voltage_imbalance", "neutral_missing"})
OF_POWERS = frozenset({"phase_reversed"})

VOLTAGES = ("voltage_v", "voltage_l2_v", "voltage_l3_v")
POWERS = ("power_l1_w", "power_l2_w", "power_l3_w")
LOST = Fraction(1, 2)
"""A phase below this share of the highest one is lost."""
UNEVEN = Fraction(1, 10)
"""Voltages further than this share from their mean are not balanced."""
NO_NEUTRAL = Fraction(15, 100)
"""One so far above the mean and one so far below: the common point is not held."""
BACK_W = 50
"""Less than that may be the error of a meter without load."""


def checkable_kinds(values: Mapping[str, Fraction]) -> frozenset[str]:
    """The kinds that can be told from values: all phases must be among them."""
    of_voltages = OF_VOLTAGES if values.keys() >= set(VOLTAGES) else frozenset()
    return of_voltages | (OF_POWERS if values.keys() >= set(POWERS) else frozenset())


def phase_faults_of(values: Mapping[str, Fraction]) -> dict[str, str]:
    """What is wrong of what can be told, by kind, with its detail."""
    looked_for = checkable_kinds(values)
    return {
        **(_of_voltages(values) if looked_for & OF_VOLTAGES else {}),
        **(_of_powers(values) if looked_for & OF_POWERS else {}),
    }


def _of_voltages(values: Mapping[str, Fraction]) -> dict[str, str]:
    voltages = [values[name] for name in VOLTAGES]
    if not any(voltages):
        return {}
    kind = _kind_of(voltages)
    return {kind: " / ".join(f"{float(v):.1f}" for v in voltages) + " V"} if kind else {}


def _kind_of(voltages: list[Fraction]) -> str | None:
    mean, highest, lowest = sum(voltages) / len(voltages), max(voltages), min(voltages)
    if lowest < LOST * highest:
        return "phase_loss"
    if highest > mean * (1 + NO_NEUTRAL) and lowest < mean * (1 - NO_NEUTRAL):
        return "neutral_missing"
    if max(highest - mean, mean - lowest) > UNEVEN * mean:
        return "voltage_imbalance"
    return None


def _of_powers(values: Mapping[str, Fraction]) -> dict[str, str]:
    """A home that has fed in may draw on one phase and feed on another; others may not."""
    powers = [values[name] for name in POWERS]
    if values.get("energy_export_wh"):
        return {}
    if min(powers) < -BACK_W and max(powers) > BACK_W:
        return {"phase_reversed": " / ".join(f"{float(p):.0f}" for p in powers) + " W"}
    return {}
