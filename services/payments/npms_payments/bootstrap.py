"""Payments put together: settings → database, clock, provider, use cases, REST and consumers."""

from functools import partial
from pathlib import Path

import httpx

from npms_payments.api.payments import payments_router
from npms_payments.api.problems import ERRORS
from npms_payments.api.suspense import suspense_router
from npms_payments.api.vouchers import vouchers_router
from npms_payments.api.webhooks import webhooks_router
from npms_payments.consumers import subscriptions
from npms_payments.handlers.context import Context
from npms_payments.handlers.resolve_orders import resolve_forever
from npms_payments.invariants import RULES
from npms_payments.providers.base import Provider
from npms_payments.providers.paysim import Paysim
from npms_payments.settings import PaymentsSettings
from npms_shared.auth.tokens import TokenVerifier
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.runtime import Service
from npms_shared.web.app import create_app
from npms_shared.web.parked_api import parked_router

DESCRIPTION = "Top-ups through providers and vouchers, payments by bank and partners, suspense."
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: PaymentsSettings, *, clock: Clock | None = None) -> Service:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application="npms-payments",
    )
    providers = make_providers(settings)
    context = Context(
        database=database,
        clock=clock or clock_from_environment(),
        policy=settings.policy(),
        providers=providers,
        pepper=settings.voucher_pepper.get_secret_value().encode(),
    )
    verifier = TokenVerifier(
        jwks_path=settings.jwks_path,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    app = create_app(
        service="payments",
        description=DESCRIPTION,
        verifier=verifier,
        routers=[
            payments_router(context),
            vouchers_router(context),
            suspense_router(context),
            webhooks_router(context),
            parked_router(database),
        ],
        errors=ERRORS,
    )
    return Service(
        name="payments",
        settings=settings,
        database=database,
        app=app,
        migrations=MIGRATIONS,
        subscriptions=subscriptions(context),
        loops=[partial(resolve_forever, context)],
        rules=RULES,
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
