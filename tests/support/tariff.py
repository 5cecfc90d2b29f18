"""The context of a tariff service in hand."""

from datetime import timedelta
from typing import Any

from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_tariff.handlers.context import Context


def tariff_context(database: Database, clock: Clock, **changes: Any) -> Context:
    """As by default settings, with sixteen partitions."""
    settings = {
        "partitions": 16,
        "future_tolerance": timedelta(minutes=10),
        "silence_after_h": 24,
        "hours_kept_months": 25,
    }
    return Context(database, clock, **{**settings, **changes})
