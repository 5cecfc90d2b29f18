"""From settings to the notifier."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from npms_notifier.api.app import build_app
from npms_notifier.channels.base import Sender
from npms_notifier.channels.mail import MailSender, MailServer
from npms_notifier.channels.sms import SmsOperator, SmsSender
from npms_notifier.consumers import subscriptions
from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.deliveries import Pace, RetryPolicy
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.deliver import DeliveryLoop
from npms_notifier.handlers.expire_held import expire_held_forever
from npms_notifier.invariants import RULES
from npms_notifier.settings import NotifierSettings
from npms_notifier.templates.rendering import Renderer
from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.runtime import Service

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: NotifierSettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given.

    Raises TemplateFault where a template asks for what no notice gives.
    """
    clock = clock or clock_from_environment()
    database = open_database(settings, service="notifier")
    renderer = Renderer(brand=settings.brand)
    renderer.check()
    context = Context(
        database=database,
        clock=clock,
        renderer=renderer,
        retries=_retries(settings),
        pace=_pace(settings),
        code_pepper=settings.code_pepper.get_secret_value().encode(),
        quiet_hours=settings.quiet,
    )
    senders = make_senders(settings, clock)
    deliveries = [DeliveryLoop(context, channel, sender) for channel, sender in senders.items()]
    return Service(
        name="notifier",
        settings=settings,
        database=database,
        app=build_app(context, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(context),
        loops=[*(loop.run for loop in deliveries), partial(expire_held_forever, context)],
        rules=RULES,
        closers=[sender.close for sender in senders.values()],
    )


def make_senders(settings: NotifierSettings, clock: Clock) -> dict[Channel, Sender]:
    password = settings.smtp_password
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        starttls=settings.smtp_starttls,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        timeout_s=settings.delivery_timeout_s,
    )
    operator = SmsOperator(
        url=settings.sms_url,
        api_key=settings.sms_api_key.get_secret_value(),
        sender=settings.sms_sender,
        timeout_s=settings.delivery_timeout_s,
    )
    return {Channel.EMAIL: MailSender(server, clock), Channel.SMS: SmsSender(operator)}


def _retries(settings: NotifierSettings) -> RetryPolicy:
    return RetryPolicy(
        attempts=settings.delivery_attempts, first=timedelta(seconds=settings.delivery_retry_s)
    )


def _pace(settings: NotifierSettings) -> Pace:
    return Pace(
        timeout=timedelta(seconds=settings.delivery_timeout_s),
        lease=timedelta(seconds=settings.delivery_lease_s),
        idle=timedelta(seconds=settings.delivery_idle_s),
    )
