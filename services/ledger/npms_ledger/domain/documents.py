"""A credit policy as a JSON document, amounts in integer micro-units.

A part that a stored document does not have yet means what it meant before there was such a part.
"""

from dataclasses import asdict
from datetime import date, time
from typing import Any

from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.periods import Period, PerPeriod
from npms_ledger.domain.policy import (
    WATERFALL,
    CreditPolicy,
    EmergencyTerms,
    Grace,
    LoadLimit,
    Step,
    Threshold,
    VendLimits,
)


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
        "waterfall": list(policy.waterfall),
        "debt_cap": None if policy.debt_cap is None else asdict(policy.debt_cap),
        "grace": None if policy.grace is None else asdict(policy.grace),
        "vend": asdict(policy.vend),
        "chargeback_grace_hours": policy.chargeback_grace_hours,
    }
    if (limit := policy.load_limit) is not None:
        document["load_limit"] = {"power_w": limit.power_w, "for_minutes": limit.for_minutes}
    return document


def from_document(document: dict[str, Any]) -> CreditPolicy:
    """Raises PolicyError where the parts contradict each other."""
    terms, grace = document["emergency"], document.get("grace")
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
        waterfall=tuple(Step(step) for step in document.get("waterfall", WATERFALL)),
        debt_cap=per_period(document.get("debt_cap")),
        grace=None if grace is None else Grace(**grace),
        vend=VendLimits(**document.get("vend", {})),
        chargeback_grace_hours=document.get("chargeback_grace_hours", 24),
    )


def per_period(document: dict[str, Any] | None) -> PerPeriod | None:
    """An amount a period, as `{"amount_micro": …, "period": …}`."""
    if document is None:
        return None
    return PerPeriod(document["amount_micro"], Period(document["period"]))


def _hours(document: dict[str, Any]) -> FriendlyHours:
    return FriendlyHours(
        weekdays=frozenset(document["weekdays"]),
        start=time.fromisoformat(document["start"]),
        end=time.fromisoformat(document["end"]),
    )
