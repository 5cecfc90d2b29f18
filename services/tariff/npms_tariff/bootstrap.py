"""From settings to the tariff service."""

from datetime import timedelta
from pathlib import Path

from npms_shared.auth.tokens import TokenVerifier
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.runtime import Service
from npms_tariff.api.app import build_app
from npms_tariff.consumers import subscriptions
from npms_tariff.invariants import RULES
from npms_tariff.settings import TariffSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: TariffSettings, *, clock: Clock | None = None) -> Service:
    clock = clock or clock_from_environment()
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application="npms-tariff",
    )
    verifier = TokenVerifier(
        jwks_path=settings.jwks_path,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    return Service(
        name="tariff",
        settings=settings,
        database=database,
        app=build_app(database, clock, verifier),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(
            clock,
            partitions=settings.partitions,
            future_tolerance=timedelta(seconds=settings.future_tolerance_s),
        ),
        rules=RULES,
    )
