"""From settings to the tariff service."""

from datetime import timedelta
from pathlib import Path

from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.loops import Loop
from npms_shared.runtime import Service
from npms_tariff.api.app import build_app
from npms_tariff.consumers import subscriptions
from npms_tariff.handlers.charge_silence import SilenceCharger, silence_loop
from npms_tariff.handlers.keep_usage import retention_loop
from npms_tariff.handlers.run_corrections import Corrector, correction_loop
from npms_tariff.handlers.tell_again import facts_of
from npms_tariff.invariants import RULES
from npms_tariff.settings import TariffSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: TariffSettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    clock = clock or clock_from_environment()
    database = open_database(settings, service="tariff")
    return Service(
        name="tariff",
        settings=settings,
        database=database,
        app=build_app(database, clock, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(
            clock,
            partitions=settings.partitions,
            future_tolerance=timedelta(seconds=settings.future_tolerance_s),
        ),
        loops=_loops(settings, database, clock),
        rules=RULES,
        facts=facts_of(settings.partitions),
    )


def _loops(settings: TariffSettings, database: Database, clock: Clock) -> list[Loop]:
    loops = [
        correction_loop(database, Corrector(clock)),
        retention_loop(database, clock, months=settings.hours_kept_months),
    ]
    if settings.provisional_after_h:
        charger = SilenceCharger(clock, after_h=settings.provisional_after_h)
        loops.append(silence_loop(database, charger))
    return loops
