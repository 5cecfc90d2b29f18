"""Which profile a meter fits, in which order of bytes; refused where none or several do.

A wrong order of bytes reads numbers without any error. So frequency and voltage must be what a
mains has, power no more than voltage and current allow, and registers that name a device must name
this one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from npms_meter_gateway.domain.decoding import decode, text_of
from npms_meter_gateway.domain.planning import RegisterSpan, span_of, spans_of
from npms_meter_gateway.domain.point import ENERGY, FREQUENCY, POWER, VOLTAGE, Order, Point
from npms_meter_gateway.domain.profile import RELAY, Probe, Profile

CURRENT = "current_a"
VOLTAGES = (VOLTAGE, "voltage_l2_v", "voltage_l3_v")
MAINS = (FREQUENCY, *VOLTAGES)
RANGES: Mapping[str, tuple[int, int]] = {
    FREQUENCY: (45, 65),
    **dict.fromkeys(VOLTAGES, (50, 300)),
    "power_factor": (-1, 1),
}
"""What each may be on a mains; phase to neutral, also behind voltage transformers."""
TOLERANCE = Fraction(12, 10)
IDLE_W = 20
"""By how much power may go beyond voltage times current: they are not read at one instant."""

Words = Sequence[int]
Found = Mapping[str, Words | None]
"""Registers by span; None for one that the meter does not serve."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A profile tried on a meter, its bytes in the order it says (`abcd`) or twisted.

    `doubts` say why it does not fit; `shown` are its values as they were read.
    """

    profile: Profile
    twist: Order
    doubts: tuple[str, ...]
    shown: Mapping[str, Fraction | None]

    @property
    def fits(self) -> bool:
        return not self.doubts

    @property
    def mains(self) -> Mapping[str, Fraction | None]:
        """What a wrong order of bytes shows in."""
        return {name: self.shown[name] for name in MAINS if name in self.shown}

    @property
    def proves_order(self) -> bool:
        """Whether the order of registers shows in what was read: one register alone has none."""
        points = self.profile.points
        energy = points[ENERGY].type.registers
        return energy == 1 or any(points[name].type.registers > 1 for name in self.mains)


def identifying_spans(profile: Profile) -> list[RegisterSpan]:
    """The few registers by which most profiles are ruled out."""
    names = set(MAINS) & set(profile.points)
    return [*_identity_spans(profile), *spans_of(profile, names)]


def all_spans(profile: Profile) -> list[RegisterSpan]:
    """Everything that a meter of this type serves."""
    return [*_identity_spans(profile), *spans_of(profile, {*profile.points, RELAY})]


def try_profile(profile: Profile, found: Found) -> list[Trial]:
    """A trial of each order of bytes in which frequency or voltages read otherwise than before."""
    trials: list[Trial] = []
    for twist in Order:
        trial = _trial(profile, twist, found)
        if all(trial.mains != before.mains for before in trials):
            trials.append(trial)
    return trials


def recognised(trials: Iterable[Trial]) -> Trial | None:
    """The one that fits as its profile says; None where none or several do, in whatever order."""
    fitting = [trial for trial in trials if trial.fits]
    if len(fitting) == 1 and fitting[0].twist is Order.ABCD:
        return fitting[0]
    return None


def _identity_spans(profile: Profile) -> list[RegisterSpan]:
    return [
        replace(span_of(probe.point), name=f"probe.{number}")
        for number, probe in enumerate(profile.probe)
    ]


def _trial(profile: Profile, twist: Order, found: Found) -> Trial:
    shown = {
        point.name: _decoded(point, twist, found[point.name])
        for point in profile.points.values()
        if point.name in found
    }
    doubts = (
        *_refusals(profile, found),
        *_other_devices(profile, twist, found),
        *_out_of_range(profile, shown),
        *_without_sense(profile, shown),
        *_too_much_power(profile, shown),
    )
    return Trial(profile, twist, doubts, shown)


def _decoded(point: Point, twist: Order, words: Words | None) -> Fraction | None:
    if words is None:
        return None
    return decode(replace(point, order=point.order.twisted(twist)), words)


def _refusals(profile: Profile, found: Found) -> Iterator[str]:
    named = {f"probe.{number}": _place(probe) for number, probe in enumerate(profile.probe)}
    for name, words in found.items():
        if words is None:
            yield f"{named.get(name, name)} is not served"


def _other_devices(profile: Profile, twist: Order, found: Found) -> Iterator[str]:
    for number, probe in enumerate(profile.probe):
        words = found.get(f"probe.{number}")
        if words is None:
            continue
        raw = _decoded(probe.point, twist, words)
        if raw is None or raw not in probe.equals:
            yield f"{_place(probe)} names another device: {raw}"


def _place(probe: Probe) -> str:
    return f"{probe.point.table} register {probe.point.address:#06x}"


def _out_of_range(profile: Profile, shown: Mapping[str, Fraction | None]) -> Iterator[str]:
    for name, value in shown.items():
        low, high = RANGES.get(name, (None, None))
        if low is not None and high is not None and value is not None and not low <= value <= high:
            yield f"{name} would be {rounded(value)}, not {low} to {high}"
        elif value is not None and not profile.points[name].is_plausible(value):
            yield f"{name} would be {rounded(value)}, which its profile does not expect"


def _without_sense(profile: Profile, shown: Mapping[str, Fraction | None]) -> Iterator[str]:
    if not profile.probe and not {FREQUENCY, VOLTAGE} & set(profile.points):
        yield "it has neither frequency nor voltage to be known by"
    for name in (ENERGY, FREQUENCY, VOLTAGE):
        if name in shown and shown[name] is None:
            yield f"{name} is not available"
    energy = shown.get(ENERGY)
    if energy is not None and energy < 0:
        yield f"{ENERGY} would be negative"


def _too_much_power(profile: Profile, shown: Mapping[str, Fraction | None]) -> Iterator[str]:
    power, voltage, current = (shown.get(name) for name in (POWER, VOLTAGE, CURRENT))
    if power is None or voltage is None or current is None or "voltage_l2_v" in profile.points:
        return
    if abs(power) > TOLERANCE * abs(voltage * current) + IDLE_W:
        yield f"{POWER} would be {rounded(power)}, more than voltage and current allow"


def rounded(value: Fraction) -> str:
    """For people: exact where that is short, else the nearest float."""
    exact = text_of(value)
    return exact if len(exact) <= len("-12345678.123") else f"{float(value):.6g}"
