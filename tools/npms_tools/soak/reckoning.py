"""Holds what was stored against what the street showed and what its homes truly used."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from npms_tools.soak.books import Held, Moment
from npms_tools.soak.town import Resident

SKEW_S = 10.0
"""How far the time of a reading may lie from when the meter answered."""
FLOAT_WH = 2
"""What a meter that counts in 32-bit floating point may round."""
LASTING = ("cleared", "frozen", "near_rollover")
"""Faults that explain what is shown after them, not only while they strike."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of the street; `energy_wh` is all the meter ever counted, clearings included."""

    at_s: float
    shown_wh: int
    energy_wh: int
    fault: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """From `from_s` on a meter that showed `raw_wh` stood at `base_wh`."""

    from_s: float
    raw_wh: int
    base_wh: int


@dataclass(slots=True)
class Verdicts:
    """`unexplained` must be empty; the counters say how the rest was explained."""

    checked: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


class Witness:
    """What the street's journal says of each meter."""

    def __init__(
        self, shown: Iterable[Mapping[str, Any]], log: Iterable[Mapping[str, Any]]
    ) -> None:
        self._shown: dict[str, list[Shown]] = defaultdict(list)
        for entry in shown:
            self._shown[entry["serial"]].append(
                Shown(entry["at_s"], entry["shown_wh"], entry["energy_wh"], entry["fault"])
            )
        self._struck: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for entry in log:
            if entry["detail"] != "over":
                self._struck[entry["subject"]].append((entry["at_s"], entry["fault"]))

    def matching(self, serial: str, at_s: float, shown_wh: int) -> Shown | None:
        """The answer nearest to a time that showed just this."""
        answers = self._shown[serial]
        first = bisect_left(answers, at_s - SKEW_S, key=lambda one: one.at_s)
        last = bisect_right(answers, at_s + SKEW_S, key=lambda one: one.at_s)
        same = [one for one in answers[first:last] if one.shown_wh == shown_wh]
        return min(same, key=lambda one: abs(one.at_s - at_s), default=None)

    def showed_twice(self, serial: str, at_s: float) -> bool:
        """Whether more than one register was shown about the whole second of a reading."""
        near = [one for one in self._shown[serial] if -1 <= one.at_s - at_s < 2]
        return len({one.shown_wh for one in near}) > 1

    def lasting_fault(self, serial: str, at_s: float) -> str:
        """The newest fault before a time that explains what is shown later too."""
        before = [kind for when, kind in self._struck[serial] if when <= at_s + SKEW_S]
        return next((kind for kind in reversed(before) if kind in LASTING), "")


def check_readings(
    verdicts: Verdicts,
    witness: Witness,
    residents: Sequence[Resident],
    readings: Mapping[int, Sequence[Moment]],
    corrected: Mapping[int, Corrected],
) -> None:
    """No value is stored that the street did not show at that time."""
    for resident in residents:
        anew = corrected.get(resident.installation_id)
        for at_s, register_wh in readings.get(resident.installation_id, ()):
            raw_wh = register_wh
            if anew is not None and at_s >= anew.from_s:
                raw_wh = anew.raw_wh + register_wh - anew.base_wh
            shown_wh = raw_wh % resident.rollover_wh if resident.rollover_wh else raw_wh
            verdicts.checked["readings"] += 1
            seen = witness.matching(resident.serial, at_s, shown_wh)
            if seen is None:
                verdicts.unexplained.append(
                    f"{resident.serial}: {register_wh} Wh at {at_s:.0f} was never shown"
                )
            elif seen.fault:
                verdicts.explained[f"stored as shown, {seen.fault}"] += 1


def check_energy(
    verdicts: Verdicts,
    residents: Sequence[Resident],
    readings: Mapping[int, Sequence[Moment]],
    final_wh: Mapping[str, int],
) -> None:
    """Last register less the opening is what the meter truly counted, up to its resolution.

    `final_wh` is the street's count of all energy of each meter at the end, when nothing flows.
    """
    for resident in residents:
        verdicts.checked["installations"] += 1
        stored = readings.get(resident.installation_id)
        if not stored:
            verdicts.unexplained.append(f"{resident.serial}: no reading was stored")
            continue
        found_wh = stored[-1][1] - resident.opened_wh
        true_wh = final_wh[resident.serial] - resident.energy_wh
        verdicts.checked["true Wh"] += true_wh
        verdicts.checked["stored Wh"] += found_wh
        if abs(found_wh - true_wh) > 2 * resident.resolution_wh + FLOAT_WH:
            verdicts.unexplained.append(
                f"{resident.serial}: {found_wh} Wh stored, {true_wh} Wh truly used"
            )


def check_held(
    verdicts: Verdicts, witness: Witness, residents: Sequence[Resident], held: Iterable[Held]
) -> None:
    """Every reading that was not believed is one that the street spoiled, and none waits."""
    serials = {resident.installation_id: resident.serial for resident in residents}
    for one in held:
        verdicts.checked["held"] += 1
        fault = explanation(witness, serials[one.installation_id], one)
        if fault:
            verdicts.explained[f"held as {one.reason}, {one.state}: {fault}"] += 1
        else:
            verdicts.unexplained.append(
                f"{serials[one.installation_id]}: {one.shown_wh} Wh at {one.at_s:.0f} "
                f"held as {one.reason} for no fault of the street"
            )
        if one.state == "held":
            verdicts.unexplained.append(
                f"{serials[one.installation_id]}: held reading {one.held_id} is undecided"
            )


def explanation(witness: Witness, serial: str, one: Held) -> str:
    """The fault because of which a reading was held; empty without one."""
    seen = witness.matching(serial, one.at_s, one.shown_wh)
    if seen is None:
        return ""
    if one.reason == "conflict" and witness.showed_twice(serial, one.at_s):
        return "two answers within a second"
    return seen.fault or witness.lasting_fault(serial, one.at_s)
