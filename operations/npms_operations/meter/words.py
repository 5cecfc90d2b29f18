"""What was tried and read, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from npms_meter_gateway.domain.decoding import text_of
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.point import CT_RATIO, PT_RATIO, Order, Point
from npms_meter_gateway.domain.probing import Trial, recognised, rounded
from npms_meter_gateway.domain.profile import Profile

UNITS = {"wh": "Wh", "w": "W", "v": "V", "a": "A", "hz": "Hz"}
ORDERS = {
    Order.CDAB: "its registers swapped",
    Order.BADC: "the bytes of each register swapped",
    Order.DCBA: "all bytes reversed",
}


def doubt_of(profile: Profile) -> str | None:
    """How uncertain a profile is, and where that is from; None for a certain one."""
    if profile.is_certain:
        return None
    weak = [s.what for s in profile.sources if s.confidence == profile.confidence]
    return f"{profile.code} is uncertain ({profile.confidence}: {'; '.join(weak)})"


def verdict(trials: Sequence[Trial]) -> Iterator[str]:
    """What a person needs to know after a probe; the first line is the outcome."""
    found = recognised(trials)
    if found is not None:
        yield from _found(found)
        return
    fitting = [trial for trial in trials if trial.fits]
    if not fitting:
        yield "Refused: no profile fits this meter."
        yield from _nearest(trials)
    elif all(trial.twist is not Order.ABCD for trial in fitting):
        yield "Refused: no profile fits as it is."
        yield from (_twisted(trial) for trial in fitting)
    else:
        yield f"Refused: {len(fitting)} ways of reading this meter fit, and a guess is none."
        yield from (_way(trial) for trial in fitting)
        yield "Name the one on its label: npms meter read … --profile …, and compare its display."


def _found(trial: Trial) -> Iterator[str]:
    profile = trial.profile
    yield f"{profile.code}: {profile.vendor} {profile.model}"
    yield "  " + ", ".join(f"{name} {rounded(v)}" for name, v in trial.mains.items() if v)
    doubt = doubt_of(profile)
    if doubt:
        yield f"  {doubt}: compare with the display before billing."
    if not trial.proves_order:
        yield "  Nothing read here proves the order of its energy's registers: compare the display."
    if profile.notes:
        yield f"  {profile.notes}"


def _way(trial: Trial) -> str:
    order = "" if trial.twist is Order.ABCD else f", with {ORDERS[trial.twist]}"
    return f"  {trial.profile.code}: {trial.profile.vendor} {trial.profile.model}{order}"


def _twisted(trial: Trial) -> str:
    return (
        f"  {trial.profile.code} would, with {ORDERS[trial.twist]}: set that right in the gateway "
        "or write a profile with that `order`."
    )


def _nearest(trials: Iterable[Trial]) -> Iterator[str]:
    for trial in trials:
        if trial.twist is Order.ABCD:
            yield f"  {trial.profile.code}: {trial.doubts[0]}"


def lines_of(
    profile: Profile, answer: MeterAnswer, refused: Iterable[str]
) -> Iterator[tuple[str, ...]]:
    """A row for each point: name, exact value, unit, where it stands, what to know of it."""
    dropped = set(refused)
    for point in profile.points.values():
        value = answer.values.get(point.name)
        text = "not available" if value is None else text_of(value)
        if point.name in dropped:
            text = "not served"
        yield point.name, text, unit_of(point), place_of(point), _remark(point, answer.values)


def unit_of(point: Point) -> str:
    return UNITS.get(point.name.rpartition("_")[2], "")


def place_of(point: Point) -> str:
    if point.type.is_bcd:
        return f"data {point.address:08X} {point.type}"
    return f"{point.table} {point.address:#06x} {point.type} {point.order}"


def _remark(point: Point, values: Mapping[str, Fraction]) -> str:
    value = values.get(point.name)
    if value is None:
        return ""
    if not point.is_plausible(value):
        return "outside of what its profile expects"
    factor = _ratio(point, values)
    if factor is None:
        return "of the secondary side; the meter tells no ratio"
    return "" if factor == 1 else f"x {text_of(factor)} = {text_of(value * factor)} primary"


def _ratio(point: Point, values: Mapping[str, Fraction]) -> Fraction | None:
    """By what the meter itself multiplies its secondary value; None where it does not tell."""
    names = {"ct": (CT_RATIO,), "pt": (PT_RATIO,), "ct_pt": (CT_RATIO, PT_RATIO)}
    factor = Fraction(1)
    for name in names.get(point.ratio, ()):
        if name not in values:
            return None
        factor *= values[name]
    return factor
