"""Events of the ledger in, accounts learnt and notices queued."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain import notices
from npms_notifier.domain.contacts import Channel, contact_or_fault
from npms_notifier.domain.notices import Money, Notice
from npms_notifier.domain.records import Account
from npms_notifier.handlers.accounts import close_account, learn_account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.notify import queue_notice
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
from npms_shared.messaging.subscriptions import EventSubscription, Meta, Subscription

QUEUE = "notifier.events"


def _threshold_crossed(event: ThresholdCrossed) -> Notice:
    return notices.low_balance(
        balance=Money(event.balance_micro, event.currency),
        to_avoid_cut=Money(event.amount_to_avoid_cut_micro, event.currency),
    )


def _credit_posted(event: CreditPosted) -> Notice:
    return notices.credit_posted(
        amount=Money(event.amount_micro, event.currency),
        to_debt=Money(event.to_debt_micro, event.currency),
        to_emergency=Money(event.to_emergency_micro, event.currency),
        to_balance=Money(event.to_balance_micro, event.currency),
        balance=Money(event.balance_micro, event.currency),
        debt=Money(event.debt_micro, event.currency),
    )


def _emergency_credit_offered(event: EmergencyCreditOffered) -> Notice:
    return notices.emergency_credit_offered(
        limit=Money(event.limit_micro, event.currency),
        balance=Money(event.balance_micro, event.currency),
    )


def _emergency_credit_accepted(event: EmergencyCreditAccepted) -> Notice:
    return notices.emergency_credit_accepted(limit=Money(event.limit_micro, event.currency))


def _credit_exhausted(event: CreditExhausted) -> Notice:
    stays_on = event.keeps_supply_until is not None or event.keeps_supply_reason is not None
    return notices.credit_exhausted(
        to_clear=Money(event.amount_to_clear_micro, event.currency),
        keeps_supply=stays_on,
        keeps_supply_until=event.keeps_supply_until,
    )


def _credit_restored(event: CreditRestored) -> Notice:
    return notices.credit_restored(balance=Money(event.balance_micro, event.currency))


def _protection_expired(event: ProtectionExpired) -> Notice:
    return notices.protection_expired(
        balance=Money(event.balance_micro, event.currency),
        to_clear=Money(event.amount_to_clear_micro, event.currency),
    )


def _reconnection_waits(event: ReconnectionWaits) -> Notice:
    if event.awaits == "customer":
        return notices.press_the_button()
    return notices.reconnection_delayed()


def _adjustment_charged(event: AdjustmentCharged) -> Notice | None:
    """A correction is told; estimates and their settlement are seen on the statement."""
    if event.kind != "correction" or not event.amount_micro:
        return None
    return notices.charge_corrected(
        amount=Money(event.amount_micro, event.currency),
        begins=datetime.fromtimestamp(event.from_s, UTC),
        ends=datetime.fromtimestamp(event.to_s, UTC),
        reason=event.reason,
    )


NOTICE_OF: Mapping[type[Event], Callable[[Any], Notice | None]] = {
    ThresholdCrossed: _threshold_crossed,
    CreditPosted: _credit_posted,
    EmergencyCreditOffered: _emergency_credit_offered,
    EmergencyCreditAccepted: _emergency_credit_accepted,
    CreditExhausted: _credit_exhausted,
    CreditRestored: _credit_restored,
    ProtectionExpired: _protection_expired,
    ReconnectionWaits: _reconnection_waits,
    AdjustmentCharged: _adjustment_charged,
}


def subscriptions(context: Context) -> list[Subscription]:
    """One queue, so that an account's opening is heard before what happens to it."""

    async def handle(conn: AsyncConnection, event: Event, meta: Meta) -> None:
        if isinstance(event, AccountOpened):
            await _learn(conn, context, event)
        elif isinstance(event, AccountClosed):
            await close_account(conn, event.account_id, at=event.closed_at)
        else:
            notice = NOTICE_OF[type(event)](event)
            if notice is None:
                return
            account_id: int = event.account_id  # type: ignore[attr-defined]
            await queue_notice(
                conn, context, notice, account_id=account_id, message_id=meta.message_id
            )

    return [EventSubscription(QUEUE, (AccountOpened, AccountClosed, *NOTICE_OF), handle)]


async def _learn(conn: AsyncConnection, context: Context, event: AccountOpened) -> None:
    account = Account(
        account_id=event.account_id,
        customer_id=event.customer_id,
        customer_name=event.customer_name,
        currency=event.currency,
        time_zone=event.time_zone,
        language=event.language,
        opened_at=event.opened_at,
    )
    reached = [contact_or_fault(Channel(c.channel), c.address) for c in event.contacts]
    await learn_account(conn, context, account, reached)
