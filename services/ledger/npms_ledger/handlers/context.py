"""What the use cases need besides an open connection; put together by bootstrap.py."""

from dataclasses import dataclass

from npms_ledger.domain.guardrail import Guardrail
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.money import AmountsByCurrency


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    clock: Clock
    alone_limits: AmountsByCurrency
    """What one person may move within a day."""
    guardrail: Guardrail
    reconnect_limit_s: int
    """Business seconds that a paid reconnection may take."""
