"""From settings to the ledger."""

from pathlib import Path

from npms_ledger.api.app import build_app
from npms_ledger.consumers import subscriptions
from npms_ledger.handlers import guardrail
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.decide_due import decision_loop
from npms_ledger.handlers.tell_again import facts_of, go_on
from npms_ledger.handlers.vend_limits import limits_loop
from npms_ledger.invariants import RULES
from npms_ledger.settings import LedgerSettings
from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.runtime import Service

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: LedgerSettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    clock = clock or clock_from_environment()
    database = open_database(settings, service="ledger")
    context = Context(
        database=database,
        clock=clock,
        alone_limits=settings.alone_limits(),
        guardrail=settings.guardrail(),
        reconnect_limit_s=settings.reconnect_limit_s,
    )
    guardrail.use(context.guardrail)
    return Service(
        name="ledger",
        settings=settings,
        database=database,
        app=build_app(context, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(clock),
        loops=[decision_loop(database, clock), limits_loop(database, clock)],
        rules=RULES,
        facts=facts_of(clock),
        go_on=go_on,
    )
