"""A polled installation, and its turn on a line."""

from dataclasses import dataclass, field

from npms_meter_gateway.domain.schedule import PollSchedule
from npms_meter_gateway.polling.unit import Unit


@dataclass(slots=True)
class Meter:
    """A polled installation. `missed` counts polls in a row that brought nothing."""

    installation_id: int
    account_id: int
    serial: str
    unit: Unit
    is_reachable: bool | None = None
    missed: int = 0
    reported_refusals: int = 0
    is_silence_unreported: bool = False
    """Whether it fell silent with its gateway, which is back: its own silence would be news."""
    is_known: bool = False
    """Whether it has answered since this process polls it."""
    is_slow_polled: bool = False
    """Whether it has had its slow poll since then, or since it was last silent."""
    schedule: PollSchedule = field(init=False)
    """Given by the line it is added to."""
    turn: "Turn | None" = None
    """Its only turn in the line that counts."""


@dataclass(slots=True, order=True)
class Turn:
    due: float
    installation_id: int
    meter: Meter = field(compare=False)
