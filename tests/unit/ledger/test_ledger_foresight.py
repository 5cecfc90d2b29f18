"""A look ahead says what will happen: the same as playing every minute, and what avoids it."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.strategies import NOON, UTC_ZONE, decided_positions

from npms_ledger.domain.account import Account
from npms_ledger.domain.foresight import Use, foresee, under
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.policy import CreditPolicy, LoadLimit
from npms_ledger.domain.position import CutHold, Position

HOURS = 30
UNTIL = NOON + timedelta(hours=HOURS)


def account_of(position: Position, policy: CreditPolicy) -> Account:
    position = replace(position, cut_hold=CutHold.NONE, cut_held_until=None)
    account = Account(account_id=1, currency="KES", zone=UTC_ZONE, policy=policy, position=position)
    account.judge(NOON)
    return account


def minute_by_minute(account: Account, use: Use, top_up_micro: int = 0):
    """When a minute's charge or the clock cuts, the long way."""
    one = replace(account, written=[], events=[], counterparts={})
    if top_up_micro:
        one.top_up(top_up_micro, NOON)
    one.judge(NOON)
    charged = 0
    for minute in range(HOURS * 60 + 1):
        at = NOON + timedelta(minutes=minute)
        due = use.after(minute * 60)
        one.charge(due - charged, at)
        charged = due
        one.judge(at)
        if not one.position.supply_on:
            return at
    return None


cases = st.tuples(decided_positions(), st.integers(0, 5_000))


@given(cases)
@settings(max_examples=60, deadline=None)
def test_what_is_foreseen_is_what_happens(case):
    (position, policy), per_day = case
    account, use = account_of(position, policy), Use(per_day, 86_400)
    if not account.position.supply_on:
        assert foresee(account, use, now=NOON, until=UNTIL) is None
        return
    cut = foresee(account, use, now=NOON, until=UNTIL)
    really = minute_by_minute(account, use)
    if cut is None or really is None:
        at = cut.at if cut else really
        assert at is None or UNTIL - at < timedelta(minutes=1)
        return
    assert timedelta(0) <= really - cut.at <= timedelta(minutes=1)


@given(cases)
@settings(max_examples=60, deadline=None)
def test_the_amount_named_avoids_the_cut_and_one_less_does_not(case):
    (position, policy), per_day = case
    account, use = account_of(position, policy), Use(per_day, 86_400)
    cut = foresee(account, use, now=NOON, until=UNTIL)
    if cut is None:
        return

    def after(amount_micro: int):
        paid = replace(account, written=[], events=[], counterparts={})
        paid.top_up(amount_micro, NOON)
        return foresee(paid, use, now=NOON, until=UNTIL)

    assert after(cut.avoid_micro) is None
    if cut.avoid_micro > 1:
        assert after(cut.avoid_micro - 1) is not None


def test_a_cut_names_the_hold_that_ends():
    night = FriendlyHours(frozenset(range(7)), NOON.time(), (NOON + timedelta(hours=8)).time())
    policy = CreditPolicy(kind_times=KindTimes((night,), frozenset()))
    account = account_of(Position(balance_micro=10), policy)
    cut = foresee(account, Use(24, 86_400), now=NOON, until=UNTIL)
    assert (cut.at, cut.hold_ended) == (NOON + timedelta(hours=10), None)
    cut = foresee(account, Use(48, 86_400), now=NOON, until=UNTIL)
    assert (cut.at, cut.hold_ended) == (NOON + timedelta(hours=8), "friendly_hours")
    assert cut.balance_micro == -6


def test_a_raised_floor_is_tried_without_being_written():
    account = account_of(Position(balance_micro=10), CreditPolicy())
    use = Use(0, 3_600)
    assert foresee(account, use, now=NOON, until=UNTIL) is None
    raised = CreditPolicy(floor_micro=50)
    cut = foresee(under(account, raised, can_limit=False), use, now=NOON, until=UNTIL)
    assert (cut.at, cut.avoid_micro) == (NOON, 41)
    limiting = replace(raised, load_limit=LoadLimit(500, 60))
    cut = foresee(under(account, limiting, can_limit=True), use, now=NOON, until=UNTIL)
    assert (cut.at, cut.hold_ended) == (NOON + timedelta(hours=1), "load_limited")
    assert account.position == Position(balance_micro=10, supply_on=True, was_in_credit=True)
