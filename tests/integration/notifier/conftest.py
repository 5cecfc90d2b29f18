"""A notifier on a fresh database, with real sinks on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from tests.integration.notifier.parts import API_KEY, NOW, PEPPER, Notifier
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer

from npms_notifier.api.app import build_app
from npms_notifier.channels.base import Sender
from npms_notifier.channels.mail import MailSender, MailServer
from npms_notifier.channels.sms import SmsOperator, SmsSender
from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.deliveries import Pace, RetryPolicy
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.deliver import DeliveryLoop
from npms_notifier.templates.rendering import Renderer
from npms_shared.clock import ManualClock
from npms_tools.sinks.server import HOST, Sinks, running_sinks


@pytest.fixture
async def sinks() -> AsyncIterator[Sinks]:
    async with running_sinks(api_key=API_KEY) as sinks:
        yield sinks


@pytest.fixture
async def mail_sender(sinks: Sinks) -> MailSender:
    server = MailServer(host=HOST, port=sinks.smtp_port, sender="credit@npms.example", timeout_s=5)
    return MailSender(server, ManualClock(NOW))


@pytest.fixture
async def sms_sender(sinks: Sinks) -> AsyncIterator[SmsSender]:
    sender = SmsSender(
        SmsOperator(url=f"{sinks.url}/sms", api_key=API_KEY, sender="NPMS", timeout_s=5)
    )
    yield sender
    await sender.close()


@pytest.fixture
async def notifier(
    database_for: Callable[[str], Awaitable[TestDatabase]],
    issuer: TestIssuer,
    mail_sender: MailSender,
    sms_sender: SmsSender,
) -> Notifier:
    database = (await database_for("notifier")).database
    context = Context(
        database=database,
        clock=ManualClock(NOW),
        renderer=Renderer(brand="NPMS"),
        retries=RetryPolicy(attempts=3, first=timedelta(seconds=5)),
        code_pepper=PEPPER,
        pace=Pace(timedelta(seconds=5), timedelta(seconds=60), timedelta(milliseconds=20)),
    )
    senders: list[tuple[Channel, Sender]] = [
        (Channel.EMAIL, mail_sender),
        (Channel.SMS, sms_sender),
    ]
    loops = [DeliveryLoop(context, channel, sender) for channel, sender in senders]
    return Notifier(context, loops, build_app(context, issuer.edge()))


@pytest.fixture
async def rest(notifier: Notifier) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(notifier.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as client:
        yield client


@pytest.fixture
def customer(issuer: TestIssuer) -> dict[str, str]:
    return issuer.headers("customer", subject="wanjiku", customer_id=77)


@pytest.fixture
def stranger(issuer: TestIssuer) -> dict[str, str]:
    return issuer.headers("customer", subject="stranger", customer_id=78)


@pytest.fixture
def operator(issuer: TestIssuer) -> dict[str, str]:
    return issuer.headers("operator", subject="op-3")
