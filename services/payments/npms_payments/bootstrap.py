"""From settings to payments."""

from functools import partial
from pathlib import Path

import httpx

from npms_payments.api.app import build_app
from npms_payments.consumers import subscriptions
from npms_payments.handlers.context import Context
from npms_payments.handlers.resolve_orders import resolve_forever
from npms_payments.handlers.tell_again import facts
from npms_payments.invariants import RULES
from npms_payments.providers.base import Provider
from npms_payments.providers.paysim import Paysim
from npms_payments.settings import PaymentsSettings
from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.runtime import Service

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: PaymentsSettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    database = open_database(settings, service="payments")
    providers = make_providers(settings)
    context = Context(
        database=database,
        clock=clock or clock_from_environment(),
        policy=settings.policy(),
        providers=providers,
        pepper=settings.voucher_pepper.get_secret_value().encode(),
    )
    return Service(
        name="payments",
        settings=settings,
        database=database,
        app=build_app(context, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(context),
        loops=[partial(resolve_forever, context)],
        rules=RULES,
        facts=facts,
        closers=[provider.close for provider in providers.values()],
    )


def make_providers(settings: PaymentsSettings) -> dict[str, Provider]:
    """The adapters that are configured, by name."""
    if settings.paysim_url is None:
        return {}
    client = httpx.AsyncClient(
        base_url=settings.paysim_url, timeout=settings.provider_timeout_s, trust_env=False
    )
    return {
        Paysim.name: Paysim(
            client,
            callback_url=settings.callback_url(Paysim.name),
            secrets=settings.webhook_secrets(),
        )
    }
