"""A credit policy as a JSON document, amounts in integer micro-units."""

from datetime import date, time
from typing import Any

from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms, LoadLimit, Threshold


def to_document(policy: CreditPolicy) -> dict[str, Any]:
    """What `from_document` reads back as an equal policy."""
    terms = policy.emergency
    document: dict[str, Any] = {
        "floor_micro": policy.floor_micro,
        "thresholds": [[t.at_micro, t.rearm_micro] for t in policy.thresholds],
        "emergency": None
        if terms is None
        else {
            "limit_micro": terms.limit_micro,
            "offer_at_micro": terms.offer_at_micro,
            "reoffer_above_micro": terms.reoffer_above_micro,
            "needs_acceptance": terms.needs_acceptance,
        },
        "debt_share_ppm": policy.debt_share_ppm,
        "friendly": [
            {
                "weekdays": sorted(hours.weekdays),
                "start": hours.start.isoformat(),
                "end": hours.end.isoformat(),
            }
            for hours in policy.kind_times.friendly
        ],
        "holidays": sorted(day.isoformat() for day in policy.kind_times.holidays),
        "remind_minutes": policy.remind_minutes,
    }
    if (limit := policy.load_limit) is not None:
        document["load_limit"] = {"power_w": limit.power_w, "for_minutes": limit.for_minutes}
    return document


def from_document(document: dict[str, Any]) -> CreditPolicy:
    """Raises PolicyError where the parts contradict each other."""
    terms = document["emergency"]
    limit = document.get("load_limit")
    return CreditPolicy(
        floor_micro=document["floor_micro"],
        thresholds=tuple(Threshold(at, rearm) for at, rearm in document["thresholds"]),
        emergency=None if terms is None else EmergencyTerms(**terms),
        debt_share_ppm=document["debt_share_ppm"],
        kind_times=KindTimes(
            friendly=tuple(_hours(hours) for hours in document["friendly"]),
            holidays=frozenset(date.fromisoformat(day) for day in document["holidays"]),
        ),
        remind_minutes=document["remind_minutes"],
        load_limit=None if limit is None else LoadLimit(**limit),
    )


def _hours(document: dict[str, Any]) -> FriendlyHours:
    return FriendlyHours(
        weekdays=frozenset(document["weekdays"]),
        start=time.fromisoformat(document["start"]),
        end=time.fromisoformat(document["end"]),
    )
