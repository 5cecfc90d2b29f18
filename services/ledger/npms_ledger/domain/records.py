"""What is kept and shown as it is: no rule depends on it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ParkedCharge:
    """A charge that fits no account; `charge` is what tariff sent: registers, energy, amount."""

    parked_charge_id: UUID
    message_id: UUID
    code: str
    installation_id: int
    account_id: int
    currency: str
    charge: dict[str, Any]
    parked_at: datetime
