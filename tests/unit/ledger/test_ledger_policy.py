"""A policy that contradicts itself is refused where it is written."""

import pytest

from npms_ledger.domain.errors import PolicyError
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms, Threshold


@pytest.mark.parametrize(
    ("parts", "code", "field"),
    [
        ({"debt_share_ppm": 1_000_001}, "out_of_range", "debt_share_ppm"),
        ({"remind_minutes": -1}, "negative", "remind_minutes"),
        ({"thresholds": (Threshold(0, 5),)}, "not_above_floor", "thresholds"),
        ({"thresholds": (Threshold(5, 5),)}, "rearm_not_above_threshold", "thresholds"),
        ({"thresholds": (Threshold(5, 9), Threshold(6, 9))}, "not_descending", "thresholds"),
        ({"thresholds": (Threshold(9, 10), Threshold(5, 11))}, "not_descending", "thresholds"),
        ({"emergency": EmergencyTerms(0, 1, 2)}, "not_positive", "emergency.limit"),
        ({"emergency": EmergencyTerms(9, -1, 2)}, "below_floor", "emergency.offer_at"),
        ({"emergency": EmergencyTerms(9, 3, 2)}, "below_offer", "emergency.reoffer_above"),
    ],
)
def test_refused(parts, code, field):
    with pytest.raises(PolicyError) as refused:
        CreditPolicy(**parts)
    assert (refused.value.code, refused.value.field) == (code, field)
