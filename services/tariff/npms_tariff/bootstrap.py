"""From settings to the tariff service."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.loops import Loop
from npms_shared.runtime import Service
from npms_tariff.api.app import build_app
from npms_tariff.consumers import subscriptions
from npms_tariff.handlers.charge_silence import charge_silence_forever
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.keep_usage import keep_usage_forever
from npms_tariff.handlers.run_corrections import correct_forever
from npms_tariff.handlers.tell_again import facts_of
from npms_tariff.invariants import RULES
from npms_tariff.settings import TariffSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: TariffSettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    context = Context(
        database=open_database(settings, service="tariff"),
        clock=clock or clock_from_environment(),
        partitions=settings.partitions,
        future_tolerance=timedelta(seconds=settings.future_tolerance_s),
        silence_after_h=settings.provisional_after_h,
        hours_kept_months=settings.hours_kept_months,
    )
    return Service(
        name="tariff",
        settings=settings,
        database=context.database,
        app=build_app(context, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(context),
        loops=_loops(context),
        rules=RULES,
        facts=facts_of(context),
    )


def _loops(context: Context) -> list[Loop]:
    loops: list[Loop] = [partial(correct_forever, context), partial(keep_usage_forever, context)]
    if context.silence_after_h:
        loops.append(partial(charge_silence_forever, context))
    return loops
