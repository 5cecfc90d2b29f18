from datetime import UTC, datetime

import pytest

from npms_notifier.consumers import NOTICE_OF
from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.notices import Money
from npms_notifier.templates.formats import zone_of
from npms_notifier.templates.rendering import Reader, Renderer
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import (
    AccountClosed,
    AccountOpened,
    CreditExhausted,
    CreditPosted,
    CreditRestored,
    EmergencyCreditAccepted,
    EmergencyCreditOffered,
    ProtectionExpired,
    ReconnectionWaits,
    ThresholdCrossed,
)
from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id
from npms_shared.messaging.topology import QUEUES

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
EVENTS: list[Event] = [
    ThresholdCrossed(
        account_id=1, threshold_micro=50_000_000, balance_micro=48_000_000, currency="KES",
        amount_to_avoid_cut_micro=52_000_000, crossed_at=AT,
    ),
    CreditPosted(
        account_id=1, payment_id=new_id(), source="voucher", currency="KES",
        amount_micro=100_000_000, to_debt_micro=25_000_000, to_emergency_micro=5_000_000,
        to_balance_micro=70_000_000, balance_micro=71_000_000, debt_micro=300_000_000,
        emergency_used_micro=0, posted_at=AT,
    ),
    EmergencyCreditOffered(
        account_id=1, limit_micro=50_000_000, balance_micro=9_000_000, currency="KES", offered_at=AT
    ),
    EmergencyCreditAccepted(
        account_id=1, limit_micro=50_000_000, balance_micro=9_000_000, currency="KES",
        accepted_at=AT,
    ),
    CreditExhausted(
        account_id=1, balance_micro=0, emergency_used_micro=50_000_000, currency="KES",
        amount_to_clear_micro=50_000_001, exhausted_at=AT,
    ),
    CreditRestored(account_id=1, balance_micro=20_000_000, currency="KES", restored_at=AT),
    ProtectionExpired(
        account_id=1,
        balance_micro=-3_000_000,
        amount_to_clear_micro=3_000_001,
        currency="KES",
        expired_at=AT,
    ),
    ReconnectionWaits(installation_id=1, account_id=1, revision=3, awaits="customer", since=AT),
    AdjustmentCharged(
        adjustment_id=new_id(), kind="correction", installation_id=1, account_id=1,
        currency="KES", plan_version_id=1, from_s=1_790_000_000, to_s=1_790_100_000, energy_wh=0,
        amount_micro=-5_000_000, tax_micro=0, lines=[("energy", "all", 1, 0, -5_000_000)],
        reason="the price was wrong", told_at=AT,
    ),
]  # fmt: skip


def test_everything_the_queue_brings_is_an_account_or_a_notice() -> None:
    assert {AccountOpened, AccountClosed, *NOTICE_OF} == set(QUEUES["notifier.events"])
    assert {type(event) for event in EVENTS} == set(NOTICE_OF)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_notice_has_all_its_template_asks_for(event: Event) -> None:
    notice = NOTICE_OF[type(event)](event)
    assert notice is not None
    reader = Reader(1, "Wanjiku", "sw", zone_of("Africa/Nairobi"))
    for channel in Channel:
        assert RENDERER.render(notice, channel, reader).body


RENDERER = Renderer(brand="NPMS")


@pytest.mark.parametrize(
    ("until", "reason", "keeps"), [(None, None, False), (AT, "friendly", True), (None, "p", True)]
)
def test_supply_stays_where_the_ledger_says_so(
    until: datetime | None, reason: str | None, *, keeps: bool
) -> None:
    event = CreditExhausted(
        account_id=1, balance_micro=0, emergency_used_micro=0, amount_to_clear_micro=7,
        currency="KES", keeps_supply_until=until, keeps_supply_reason=reason, exhausted_at=AT,
    )  # fmt: skip
    notice = NOTICE_OF[CreditExhausted](event)
    assert notice is not None
    values = notice.values
    assert values == {
        "to_clear": Money(7, "KES"),
        "keeps_supply": keeps,
        "keeps_supply_until": until,
    }


@pytest.mark.parametrize(
    ("kind", "amount_micro", "noticed"),
    [("correction", 7, True), ("correction", -7, True), ("correction", 0, False),
     ("provisional", 7, False), ("settlement", -7, False)],
)  # fmt: skip
def test_people_are_told_of_corrections_that_cost_or_give_something(
    kind: str, amount_micro: int, *, noticed: bool
) -> None:
    (event,) = [known for known in EVENTS if isinstance(known, AdjustmentCharged)]
    changed = event.model_copy(update={"kind": kind, "amount_micro": amount_micro})
    notice = NOTICE_OF[AdjustmentCharged](changed)
    assert (notice is not None) is noticed
    if notice is not None:
        assert notice.values["amount"] == Money(7, "KES")
        assert notice.values["given_back"] is (amount_micro < 0)
