"""The channels against a real mail server and a real HTTP operator."""

import socket

import httpx
import pytest
from tests.support.refusing import refuse_next

from npms_notifier.channels.base import NotDelivered, OutgoingMessage
from npms_notifier.channels.mail import MailSender, MailServer
from npms_notifier.channels.sms import SmsOperator, SmsSender
from npms_shared.clock import SystemClock
from npms_shared.ids import new_id
from npms_tools.sinks.server import HOST, Sinks


def mail(address: str = "wanjiku@example.org", subject: str = "Salio — 5 €") -> OutgoingMessage:
    return OutgoingMessage(new_id(), address, subject, "Habari,\n\nsalio lako ni € 5.\n")


def sms(text: str = "NPMS: salio 5") -> OutgoingMessage:
    return OutgoingMessage(new_id(), "+254712345678", "", text)


async def test_an_email_arrives_with_its_delivery_id(sinks: Sinks, mail_sender: MailSender) -> None:
    message = mail()
    assert await mail_sender.send(message)
    arrived = sinks.store.emails[0]
    assert arrived.message_id == f"<{message.delivery_id}@npms.example>"
    assert arrived.sender == "credit@npms.example"
    assert arrived.recipients == ("wanjiku@example.org",)
    assert arrived.subject == "Salio — 5 €"
    assert arrived.text.strip() == message.body.strip()


@pytest.mark.parametrize(("status", "permanent"), [(451, False), (554, True)])
async def test_a_mail_server_says_whether_to_come_back(
    sinks: Sinks, mail_sender: MailSender, status: int, *, permanent: bool
) -> None:
    await refuse_next(sinks, "email", status=status)
    with pytest.raises(NotDelivered, match=str(status)) as fault:
        await mail_sender.send(mail())
    assert fault.value.permanent is permanent
    await mail_sender.send(mail())
    assert len(sinks.store.emails) == 1


async def test_what_cannot_be_composed_is_given_up(mail_sender: MailSender) -> None:
    with pytest.raises(NotDelivered) as fault:
        await mail_sender.send(mail(subject="a\nBcc: x@y.org"))
    assert fault.value.permanent


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?Your_account=0D=0ABcc=3A_victim=40example.org?=",
        "=?utf-8?b?SGkNCg0KUGF5IHRvIG1lIGluc3RlYWQ=?=",
        "Hi =?utf-8?q?=0AReply-To=3A_thief=40example.org?=",
    ],
)
async def test_an_encoded_word_puts_no_line_into_the_headers(
    sinks: Sinks, mail_sender: MailSender, subject: str
) -> None:
    with pytest.raises(NotDelivered) as fault:
        await mail_sender.send(mail(subject=f"Re: {subject}"))
    assert fault.value.permanent
    assert not sinks.store.emails


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


async def test_nobody_listening_may_pass() -> None:
    port = closed_port()
    senders = (
        MailSender(MailServer(host=HOST, port=port, sender="a@b.example"), SystemClock()),
        SmsSender(SmsOperator(url=f"http://{HOST}:{port}/sms", api_key="k", sender="NPMS")),
    )
    for sender in senders:
        with pytest.raises(NotDelivered) as fault:
            await sender.send(mail())
        assert not fault.value.permanent
        await sender.close()


async def test_starttls_is_demanded_where_configured(sinks: Sinks) -> None:
    server = MailServer(host=HOST, port=sinks.smtp_port, sender="a@b.example", starttls=True)
    with pytest.raises(NotDelivered) as fault:
        await MailSender(server, SystemClock()).send(mail())
    assert not fault.value.permanent
    assert not sinks.store.emails


async def test_an_sms_arrives_and_gives_the_operators_id(
    sinks: Sinks, sms_sender: SmsSender
) -> None:
    message = sms()
    reference = await sms_sender.send(message)
    arrived = sinks.store.sms[0]
    assert (arrived.id, arrived.client_reference) == (reference, str(message.delivery_id))
    assert (arrived.to, arrived.sender, arrived.text) == ("+254712345678", "NPMS", "NPMS: salio 5")


@pytest.mark.parametrize(("status", "permanent"), [(503, False), (422, True)])
async def test_an_operator_says_whether_to_come_back(
    sinks: Sinks, sms_sender: SmsSender, status: int, *, permanent: bool
) -> None:
    await refuse_next(sinks, "sms", status=status)
    with pytest.raises(NotDelivered) as fault:
        await sms_sender.send(sms())
    assert fault.value.permanent is permanent


async def test_a_wrong_key_may_be_mended(sinks: Sinks) -> None:
    sender = SmsSender(SmsOperator(url=f"{sinks.url}/sms", api_key="wrong", sender="NPMS"))
    with pytest.raises(NotDelivered, match="401") as fault:
        await sender.send(sms())
    assert not fault.value.permanent
    await sender.close()


async def test_the_sinks_show_what_arrived(
    sinks: Sinks, mail_sender: MailSender, sms_sender: SmsSender
) -> None:
    await mail_sender.send(mail(subject="<b>Salio</b>"))
    await sms_sender.send(sms("NPMS: 1 < 2"))
    async with httpx.AsyncClient(base_url=sinks.url) as client:
        page = await client.get("/")
        assert "&lt;b&gt;Salio&lt;/b&gt;" in page.text
        assert "1 &lt; 2" in page.text
        emails = (await client.get("/emails", params={"to": "wanjiku@example.org"})).json()
        assert [email["subject"] for email in emails] == ["<b>Salio</b>"]
        assert (await client.get("/emails", params={"to": "x@y.org"})).json() == []
        assert (await client.get("/sms", params={"to": "+254712345678"})).json()[0]["id"]
        assert (await client.get("/sms", params={"to": "+254700000000"})).json() == []
