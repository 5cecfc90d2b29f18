"""Notices queued once, sent under a lease, retried, given up, reported."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.integration.notifier.parts import EMAIL, NOW, PHONE, RESTORED, Notifier
from tests.support.refusing import refuse_next

from npms_notifier.channels.base import OutgoingMessage
from npms_notifier.domain import notices
from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.deliveries import State
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.notices import Money
from npms_notifier.domain.quiet_hours import parse_quiet_hours
from npms_notifier.domain.records import Delivery
from npms_notifier.handlers.deliver import DeliveryLoop
from npms_notifier.storage import deliveries
from npms_shared.contracts.notifier import DeliveryReported
from npms_shared.ids import new_id
from npms_tools.sinks.server import Sinks

LOW = notices.low_balance(balance=Money(1, "KES"), to_avoid_cut=Money(9, "KES"))


async def rows(notifier: Notifier) -> list[Delivery]:
    async with notifier.database.connect() as conn:
        return await deliveries.list_of(conn, 1, before=None, most=100)


async def reports(notifier: Notifier) -> list[DeliveryReported]:
    async with notifier.database.connect() as conn:
        found = await conn.execute(text("SELECT body FROM outbox ORDER BY id"))
        return [DeliveryReported.model_validate_json(body) for body in found.scalars()]


async def test_a_notice_goes_to_every_usable_contact_once(notifier: Notifier, sinks: Sinks) -> None:
    unusable = Contact(Channel.SMS, "0712", fault="not_an_e164_number")
    await notifier.open_account(1, EMAIL, unusable, PHONE)
    message_id = new_id()
    assert await notifier.notify(RESTORED, message_id=message_id) == 2
    assert await notifier.notify(RESTORED, message_id=message_id) == 2
    assert await notifier.deliver() == 2
    assert await notifier.deliver() == 0
    assert [sms.to for sms in sinks.store.sms] == [PHONE.address]
    assert [mail.recipients for mail in sinks.store.emails] == [(EMAIL.address,)]
    sent = await rows(notifier)
    assert {(d.state, d.attempts, d.error, d.settled_at) for d in sent} == {
        (State.SENT, 1, None, NOW)
    }
    assert {d.reference for d in sent} == {sinks.store.sms[0].id, "kept"}
    assert {(r.delivery_id, r.channel, r.state, r.attempts) for r in await reports(notifier)} == {
        (d.delivery_id, d.channel.value, "sent", 1) for d in sent
    }


async def test_it_is_written_in_the_language_of_the_account(
    notifier: Notifier, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE, language="sw")
    await notifier.notify(RESTORED)
    await notifier.deliver()
    assert "salio" in sinks.store.sms[0].text


async def test_nothing_is_queued_for_an_account_not_heard_of(notifier: Notifier) -> None:
    with pytest.raises(AccountUnknown):
        await notifier.notify(RESTORED)


async def test_a_fault_is_retried_later_and_then_given_up(notifier: Notifier, sinks: Sinks) -> None:
    await notifier.open_account(1, PHONE)
    await refuse_next(sinks, "sms", status=503, times=9)
    await notifier.notify(RESTORED)
    states = []
    for wait in (5, 20, 80):
        await notifier.deliver()
        assert await notifier.deliver() == 0, "not before its time"
        [delivery] = await rows(notifier)
        states.append((delivery.state, delivery.attempts))
        assert "503" in (delivery.error or "")
        notifier.clock.advance(timedelta(seconds=wait))
    assert states == [(State.RETRYING, 1), (State.RETRYING, 2), (State.FAILED, 3)]
    assert await notifier.deliver() == 0
    assert [(r.state, r.attempts) for r in await reports(notifier)] == [("failed", 3)]


class SilentSender:
    """Takes the message and never answers."""

    async def send(self, _message: OutgoingMessage) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


async def test_who_does_not_answer_in_time_is_asked_again(notifier: Notifier) -> None:
    await notifier.open_account(1, PHONE)
    await notifier.notify(RESTORED)
    pace = replace(notifier.context.pace, timeout=timedelta(milliseconds=20))
    loop = DeliveryLoop(replace(notifier.context, pace=pace), Channel.SMS, SilentSender())
    await loop.run_pass()
    [delivery] = await rows(notifier)
    assert (delivery.state, delivery.attempts, delivery.error) == (State.RETRYING, 1, "timeout")


async def test_a_retry_that_succeeds_is_sent(notifier: Notifier, sinks: Sinks) -> None:
    await notifier.open_account(1, EMAIL)
    await refuse_next(sinks, "email", status=451)
    await notifier.notify(RESTORED)
    await notifier.deliver()
    notifier.clock.advance(timedelta(seconds=5))
    await notifier.deliver()
    [delivery] = await rows(notifier)
    assert (delivery.state, delivery.attempts, delivery.error) == (State.SENT, 2, None)
    assert len(sinks.store.emails) == 1


async def test_a_refused_number_is_given_up_at_once(notifier: Notifier, sinks: Sinks) -> None:
    await notifier.open_account(1, PHONE)
    await refuse_next(sinks, "sms", status=422)
    await notifier.notify(RESTORED)
    await notifier.deliver()
    [delivery] = await rows(notifier)
    assert (delivery.state, delivery.attempts) == (State.FAILED, 1)


async def test_what_a_dead_process_held_goes_again_under_the_same_id(
    notifier: Notifier, sinks: Sinks
) -> None:
    await notifier.open_account(1, PHONE)
    await notifier.notify(RESTORED)
    at = notifier.clock.wall_now()
    async with notifier.database.transaction() as conn:
        [held] = await deliveries.claim(
            conn, Channel.SMS, at=at, lease_until=at + timedelta(seconds=60), most=5
        )
    assert await notifier.deliver() == 0, "it is leased"
    notifier.clock.advance(timedelta(seconds=61))
    assert await notifier.deliver() == 1
    assert sinks.store.sms[0].client_reference == str(held.delivery_id)
    async with notifier.database.transaction() as conn:
        late = await deliveries.settle(conn, held, State.FAILED, error="late", at=at)
    assert not late, "a lease that was lost settles nothing"
    [delivery] = await rows(notifier)
    assert (delivery.state, delivery.attempts) == (State.SENT, 2)


async def test_two_processes_share_the_work(notifier: Notifier) -> None:
    await notifier.open_account(1, PHONE)
    for _ in range(4):
        await notifier.notify(RESTORED)
    at = notifier.clock.wall_now()
    lease = at + timedelta(seconds=60)
    async with notifier.database.transaction() as conn, notifier.database.transaction() as other:
        first = await deliveries.claim(conn, Channel.SMS, at=at, lease_until=lease, most=3)
        second = await deliveries.claim(other, Channel.SMS, at=at, lease_until=lease, most=3)
    assert (len(first), len(second)) == (3, 1)
    assert not {d.delivery_id for d in first} & {d.delivery_id for d in second}


async def test_what_can_wait_waits_for_the_morning(notifier: Notifier) -> None:
    quiet_hours = parse_quiet_hours("21:00-07:00")
    notifier.context = replace(notifier.context, quiet_hours=quiet_hours)
    notifier.clock.advance(timedelta(hours=12))  # 23:00 in Nairobi
    await notifier.open_account(1, PHONE)
    await notifier.notify(LOW)
    assert await notifier.deliver() == 0
    await notifier.notify(RESTORED)
    assert await notifier.deliver() == 1
    notifier.clock.advance(timedelta(hours=8))
    assert await notifier.deliver() == 1
