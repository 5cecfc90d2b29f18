"""From settings to a service."""

from pathlib import Path

from npms_ledger.api.accounts import accounts_router
from npms_ledger.api.policies import parked_charges_router, policies_router
from npms_ledger.api.problems import ERRORS
from npms_ledger.consumers import subscriptions
from npms_ledger.handlers.decide_due import decision_loop
from npms_ledger.invariants import RULES
from npms_ledger.settings import LedgerSettings
from npms_shared.auth.tokens import TokenVerifier
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.runtime import Service
from npms_shared.web.app import create_app
from npms_shared.web.parked_api import parked_router

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: LedgerSettings, *, clock: Clock | None = None) -> Service:
    """Put the ledger together; the clock is the environment's unless given."""
    clock = clock or clock_from_environment()
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application="npms-ledger",
    )
    verifier = TokenVerifier(
        jwks_path=settings.jwks_path,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    app = create_app(
        service="ledger",
        description="Accounts, journal, credit policy and the desired supply state.",
        verifier=verifier,
        routers=[
            accounts_router(database, clock),
            policies_router(database, clock),
            parked_charges_router(database),
            parked_router(database),
        ],
        errors=ERRORS,
    )
    return Service(
        name="ledger",
        settings=settings,
        database=database,
        app=app,
        migrations=MIGRATIONS,
        subscriptions=subscriptions(clock),
        loops=[decision_loop(database, clock)],
        rules=RULES,
    )
