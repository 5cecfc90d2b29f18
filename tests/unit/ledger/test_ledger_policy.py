"""A policy that contradicts itself is refused where it is written."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from tests.unit.ledger.strategies import DAY, NOON

from npms_ledger.domain.debt import Debt, DebtKind, DebtTerms
from npms_ledger.domain.documents import from_document
from npms_ledger.domain.errors import PolicyError, TermsError
from npms_ledger.domain.grant import GrantKind, GrantTerms
from npms_ledger.domain.periods import Period, PerPeriod, beginning, following
from npms_ledger.domain.policy import (
    WATERFALL,
    CreditPolicy,
    EmergencyTerms,
    Grace,
    Threshold,
    VendLimits,
    refusal,
)
from npms_ledger.domain.position import Position
from npms_ledger.domain.waterfall import top_up


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
        ({"waterfall": WATERFALL[1:]}, "not_each_step_once", "waterfall"),
        ({"waterfall": WATERFALL[::-1]}, "balance_not_last", "waterfall"),
        ({"debt_cap": PerPeriod(0, Period.WEEK)}, "not_positive", "debt_cap.amount"),
        ({"grace": Grace(0, -5)}, "not_positive", "grace.days"),
        ({"grace": Grace(9, 0)}, "not_below_floor", "grace.floor"),
        ({"vend": VendLimits(minimum_micro=0)}, "not_positive", "vend.minimum"),
        ({"vend": VendLimits(maximum_micro=0)}, "not_positive", "vend.maximum"),
        ({"vend": VendLimits(9, 8)}, "below_minimum", "vend.maximum"),
        ({"vend": VendLimits(maximum_balance_micro=0)}, "not_positive", "vend.maximum_balance"),
    ],
)
def test_refused(parts, code, field):
    with pytest.raises(PolicyError) as refused:
        CreditPolicy(**parts)
    assert (refused.value.code, refused.value.field) == (code, field)


RATE = PerPeriod(4, Period.WEEK)


@pytest.mark.parametrize(
    ("make", "code", "field"),
    [
        (lambda: DebtTerms(kind=DebtKind.TIME), "needs_rate", "rate"),
        (lambda: DebtTerms(rate=RATE), "rate_of_payment_debt", "rate"),
        (
            lambda: DebtTerms(kind=DebtKind.TIME, rate=RATE, minimum_micro=1),
            "share_of_time_debt",
            "share_ppm",
        ),
        (lambda: DebtTerms(share_ppm=1_000_001), "out_of_range", "share_ppm"),
        (lambda: DebtTerms(minimum_micro=-1), "negative", "minimum"),
        (lambda: DebtTerms(cap=PerPeriod(0, Period.DAY)), "not_positive", "cap"),
        (lambda: GrantTerms("x"), "not_positive", "amount"),
        (
            lambda: GrantTerms("x", GrantKind.TIME, amount_micro=1),
            "amount_of_time_credit",
            "amount",
        ),
        (lambda: GrantTerms("x", GrantKind.TIME, monthly=True), "monthly_time_credit", "monthly"),
        (
            lambda: GrantTerms("x", amount_micro=1, draws_on=frozenset()),
            "nothing_draws",
            "draws_on",
        ),
        (lambda: GrantTerms("x", amount_micro=1, priority=1000), "out_of_range", "priority"),
        (
            lambda: GrantTerms("x", amount_micro=1, rollover_max_micro=1),
            "rollover_without_period",
            "rollover_max",
        ),
    ],
)
def test_terms_that_contradict_themselves_are_refused(make, code, field):
    with pytest.raises(TermsError) as refused:
        make()
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_document_from_before_means_what_it_meant():
    document = {
        "floor_micro": -5,
        "thresholds": [[50, 60]],
        "emergency": None,
        "debt_share_ppm": 250_000,
        "friendly": [],
        "holidays": [],
        "remind_minutes": 30,
    }
    assert from_document(document) == CreditPolicy(
        floor_micro=-5,
        thresholds=(Threshold(50, 60),),
        debt_share_ppm=250_000,
        remind_minutes=30,
    )


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (4, "below_minimum"),
        (5, None),
        (60, None),
        (61, "above_maximum"),
    ],
)
def test_p8_limits_of_a_top_up(amount, code):
    policy = CreditPolicy(vend=VendLimits(minimum_micro=5, maximum_micro=60))
    assert refusal(policy, amount_micro=amount, balance_after_micro=amount) == code


@pytest.mark.parametrize(("amount", "code"), [(120, None), (121, "balance_too_high")])
def test_p8_what_would_exceed_the_highest_balance_counts_after_debt(amount, code):
    """30 on the balance and at most 100: 70 of 120 fit, for 50 go to the debt."""
    policy = CreditPolicy(vend=VendLimits(maximum_balance_micro=100))
    debt = Debt(1, 50, DebtTerms(share_ppm=1_000_000))
    position = Position(balance_micro=30, debt_micro=50, debts=(debt,))
    after = top_up(position, policy=policy, amount_micro=amount, day=DAY).position
    found = refusal(policy, amount_micro=amount, balance_after_micro=after.balance_micro)
    assert found == code


@pytest.mark.parametrize(
    ("period", "begins", "follows"),
    [
        (Period.DAY, (2026, 3, 4), (2026, 3, 4, 23)),
        (Period.WEEK, (2026, 3, 2), (2026, 3, 10, 23)),
        (Period.MONTH, (2026, 3, 1), (2026, 3, 31, 22)),
    ],
)
def test_periods_are_local_and_follow_clock_changes(period, begins, follows):
    """Midnight in Berlin is 23:00 UTC in winter, 22:00 in summer, which begins on 29 March."""
    assert beginning(period, DAY) == date(*begins)
    assert following(period, NOON, ZoneInfo("Europe/Berlin")) == datetime(*follows, tzinfo=UTC)
