"""Policies, and positions as the rules leave them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from npms_ledger.domain.debt import Debt, DebtKind, DebtTerms, total_micro
from npms_ledger.domain.decision import decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.grant import ChargeKind, GrantKind, GrantTerms
from npms_ledger.domain.grants import draw as draw_on_grants
from npms_ledger.domain.grants import give
from npms_ledger.domain.periods import Period, PerPeriod, following
from npms_ledger.domain.policy import (
    WATERFALL,
    CreditPolicy,
    EmergencyTerms,
    LoadLimit,
    Step,
    Threshold,
)
from npms_ledger.domain.position import (
    Bucket,
    CutHold,
    EmergencyState,
    Entry,
    Position,
    Posted,
    PostingKind,
    charge,
)
from npms_ledger.domain.vend import NO_VEND, PlanCharges, Vend, VendCharge
from npms_ledger.domain.waterfall import top_up

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = NOON.date()
PAID_KINDS = {PostingKind.TOP_UP, PostingKind.REVERSAL, PostingKind.TRANSFER, PostingKind.REFUND}
NIGHT = FriendlyHours(frozenset(range(7)), time(18), time(8))


@st.composite
def per_periods(draw: st.DrawFn) -> PerPeriod:
    return PerPeriod(draw(st.integers(1, 400)), draw(st.sampled_from(Period)))


@st.composite
def debts(draw: st.DrawFn) -> tuple[Debt, ...]:
    """Debts of both kinds, some of them suspended in emergency or without supply."""
    made = []
    for number in range(1, draw(st.integers(0, 3)) + 1):
        flags = {name: draw(st.booleans()) for name in ("suspend_in_emergency", "suspend_when_off")}
        priority = draw(st.integers(1, 3))
        if draw(st.booleans()):
            rate = draw(per_periods())
            timed = DebtTerms("timed", DebtKind.TIME, priority, rate=rate, **flags)
            next_at = following(rate.period, NOON, UTC_ZONE)
            made.append(Debt(number, draw(st.integers(1, 900)), timed, next_at=next_at))
            continue
        terms = DebtTerms(
            "shared",
            priority=priority,
            share_ppm=draw(st.none() | st.integers(0, 1_000_000)),
            minimum_micro=draw(st.sampled_from([0, 0, 7, 150])),
            cap=draw(st.none() | per_periods()),
            **flags,
        )
        made.append(Debt(number, draw(st.integers(1, 900)), terms))
    return tuple(made)


@st.composite
def grant_terms(draw: st.DrawFn) -> GrantTerms:
    if draw(st.integers(0, 4)) == 0:
        return GrantTerms("time", GrantKind.TIME)
    monthly = draw(st.booleans())
    return GrantTerms(
        "granted",
        priority=draw(st.sampled_from([1, 5, 10, 20])),
        amount_micro=draw(st.integers(1, 600)),
        draws_on=draw(st.frozensets(st.sampled_from(ChargeKind), min_size=1)),
        monthly=monthly,
        rollover_max_micro=draw(st.integers(0, 300)) if monthly else 0,
    )


@st.composite
def vends(draw: st.DrawFn) -> Vend:
    charges = tuple(
        VendCharge(name, amount, draw(st.integers(0, amount)))
        for name, amount in draw(
            st.dictionaries(st.sampled_from(["capacity", "service"]), st.integers(1, 300))
        ).items()
    )
    return Vend(plans=(PlanCharges("household", DAY, charges),)) if charges else NO_VEND


@st.composite
def openings(draw: st.DrawFn) -> Position:
    """An account as it is opened: debts with terms and without, charges of a month's top-up."""
    given = draw(debts())
    general = draw(st.integers(0, 2_000))
    return Position(
        debt_micro=general + total_micro(given),
        debts=given,
        vend=draw(vends()),
        protected=draw(st.booleans()),
        can_limit=draw(st.booleans()),
    )


@st.composite
def policies(draw: st.DrawFn) -> CreditPolicy:
    floor = draw(st.sampled_from([0, -300, -5_000_000]))
    steps = draw(st.lists(st.integers(1, 400), max_size=3))
    thresholds, at = [], floor
    for step in steps:
        at += step
        thresholds.append(at)
    emergency = None
    if draw(st.booleans()):
        offer_at = floor + draw(st.integers(0, 300))
        emergency = EmergencyTerms(
            limit_micro=draw(st.integers(1, 500)),
            offer_at_micro=offer_at,
            reoffer_above_micro=offer_at + draw(st.integers(0, 300)),
            needs_acceptance=draw(st.booleans()),
        )
    gap = draw(st.integers(1, 100))
    some_order = draw(st.permutations(WATERFALL[:-1]))
    return CreditPolicy(
        waterfall=draw(st.sampled_from([WATERFALL, (*some_order, Step.BALANCE)])),
        debt_cap=draw(st.none() | per_periods()),
        floor_micro=floor,
        thresholds=tuple(Threshold(t, t + gap) for t in reversed(thresholds)),
        emergency=emergency,
        debt_share_ppm=draw(
            st.one_of(st.sampled_from([0, 250_000, 1_000_000]), st.integers(0, 1_000_000))
        ),
        kind_times=KindTimes(
            (NIGHT,) if draw(st.booleans()) else (),
            frozenset({date(2026, 3, 4)}) if draw(st.booleans()) else frozenset(),
        ),
        load_limit=LoadLimit(500, draw(st.integers(1, 900))) if draw(st.booleans()) else None,
    )


untils = st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=3)).map(NOON.__add__)
steps = st.lists(
    st.tuples(st.sampled_from(["charge", "top_up", "accept"]), st.integers(1, 900)), max_size=12
)


@st.composite
def decided_positions(draw: st.DrawFn) -> tuple[Position, CreditPolicy]:
    """A position that the rules can lead to, and the policy that led there."""
    policy = draw(policies())
    position = replace(
        draw(openings()),
        protected_until=draw(untils),
        keep_on_until=draw(untils),
        cut_hold=draw(st.sampled_from(CutHold)),
        cut_held_until=draw(untils),
    )
    if draw(st.booleans()):
        position = given(position, draw(grant_terms()), number=1, now=NOON)
    for kind, amount_micro in draw(steps):
        position = step(position, policy, kind, amount_micro)
    return position, policy


def step(position: Position, policy: CreditPolicy, kind: str, amount_micro: int) -> Position:
    if kind == "charge":
        position = spent(position, policy, amount_micro).position
    elif kind == "top_up":
        position = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY).position
    elif position.emergency is EmergencyState.SELECTABLE and acceptable(position, policy):
        position = accept(position, policy)
    return decide(position, policy=policy, zone=UTC_ZONE, now=NOON).position


def given(position: Position, terms: GrantTerms, *, number: int, now: datetime) -> Position:
    """With a grant; of kind time it lasts for a day, else for ten."""
    days = 1 if terms.kind is GrantKind.TIME else 10
    ends_at = now + timedelta(days=days)
    return give(position, terms, number=number, ends_at=ends_at, now=now, zone=UTC_ZONE).position


def spent(position: Position, policy: CreditPolicy, amount_micro: int) -> Posted:
    """A charge with what it draws on grants."""
    posted = charge(position, amount_micro)
    drawn = draw_on_grants(
        posted.position,
        amount_micro=amount_micro,
        kind=ChargeKind.CONSUMPTION,
        floor_micro=policy.floor_micro,
    )
    return Posted(drawn.position, (*posted.entries, *drawn.entries))


def acceptable(position: Position, policy: CreditPolicy) -> bool:
    shortfall = policy.floor_micro - position.balance_micro
    return policy.emergency is not None and shortfall < policy.emergency.limit_micro


def is_of_paid_money(entry: Entry) -> bool:
    """Whether storage counts a posting to what was paid into an account and has not left it."""
    opened = entry.kind is PostingKind.OPENING and entry.bucket is Bucket.BALANCE
    return opened or entry.kind in PAID_KINDS
