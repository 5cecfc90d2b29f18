"""Policies, and positions as the rules leave them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from npms_ledger.domain.decision import decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms, LoadLimit, Threshold
from npms_ledger.domain.position import CutHold, EmergencyState, Position, charge
from npms_ledger.domain.waterfall import top_up

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NIGHT = FriendlyHours(frozenset(range(7)), time(18), time(8))


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
    return CreditPolicy(
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
    position = Position(
        debt_micro=draw(st.integers(0, 2_000)),
        protected=draw(st.booleans()),
        protected_until=draw(untils),
        keep_on_until=draw(untils),
        can_limit=draw(st.booleans()),
        cut_hold=draw(st.sampled_from(CutHold)),
        cut_held_until=draw(untils),
    )
    for kind, amount_micro in draw(steps):
        position = step(position, policy, kind, amount_micro)
    return position, policy


def step(position: Position, policy: CreditPolicy, kind: str, amount_micro: int) -> Position:
    if kind == "charge":
        position = charge(position, amount_micro).position
    elif kind == "top_up":
        position = top_up(position, policy=policy, amount_micro=amount_micro).position
    elif position.emergency is EmergencyState.SELECTABLE and acceptable(position, policy):
        position = accept(position, policy)
    return decide(position, policy=policy, zone=UTC_ZONE, now=NOON).position


def acceptable(position: Position, policy: CreditPolicy) -> bool:
    shortfall = policy.floor_micro - position.balance_micro
    return policy.emergency is not None and shortfall < policy.emergency.limit_micro
