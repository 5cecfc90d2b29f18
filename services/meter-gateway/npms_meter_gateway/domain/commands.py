"""A command to a meter's switch, with its life and its evidence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from npms_meter_gateway.domain.relay import State

What = Literal["relay", "load_limit"]
Life = Literal[
    "sent", "acknowledged", "unanswered", "confirmed", "in_vain", "superseded", "abandoned"
]
Evidence = dict[str, Any]
"""What a meter showed at a moment: at, relay, power_w, limit_w, armed, fault."""


@dataclass(frozen=True, slots=True)
class SupplyCommand:
    """Written down before it left, ended by what was read back."""

    command_id: UUID
    installation_id: int
    revision: int
    reason: str
    what: What
    state: State
    limit_w: int | None
    life: Life
    created_at: datetime
    answered_at: datetime | None
    answer: str | None
    closed_at: datetime | None
    before: Evidence
    after: list[Evidence]


@dataclass(frozen=True, slots=True)
class EndedCommand:
    life: Life
    what: What
    state: State
