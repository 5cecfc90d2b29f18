"""What the use cases need besides an open connection; put together by bootstrap.py."""

from dataclasses import dataclass, field
from datetime import timedelta

from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_tariff.handlers.catalogue import CatalogueCache


@dataclass(frozen=True, slots=True)
class Context:
    """`silence_after_h` hours without a rated reading are charged by estimate; 0 never are."""

    database: Database
    clock: Clock
    partitions: int
    future_tolerance: timedelta
    silence_after_h: int
    hours_kept_months: int
    catalogues: CatalogueCache = field(default_factory=CatalogueCache)
