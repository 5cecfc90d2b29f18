"""The transformers' ratio that a meter has in a register, against the one that is recorded."""

from collections.abc import Mapping
from fractions import Fraction

from npms_meter_gateway.domain.point import CT_RATIO, ENERGY, PT_RATIO
from npms_meter_gateway.domain.profile import Profile

_PARTS = {"ct": (CT_RATIO,), "pt": (PT_RATIO,), "ct_pt": (CT_RATIO, PT_RATIO)}


def ratio_shown(profile: Profile, values: Mapping[str, Fraction]) -> Fraction | None:
    """By what the meter says its energy is to be multiplied; None where it does not say."""
    parts = _PARTS.get(profile.points[ENERGY].ratio, ())
    if not parts or not values.keys() >= set(parts):
        return None
    ratio = Fraction(1)
    for part in parts:
        ratio *= values[part]
    return ratio
