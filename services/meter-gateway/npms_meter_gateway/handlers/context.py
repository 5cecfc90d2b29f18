"""What the use cases need besides an open connection; put together by bootstrap.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from npms_meter_gateway.domain.allowed_addresses import ANYTHING, AllowedAddresses
from npms_meter_gateway.domain.meter_clock import IN_UTC, ClockPolicy
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_shared.clock import Clock
from npms_shared.db.engine import Database

ForPolled = Literal["refuse", "mark"]


@dataclass(frozen=True, slots=True)
class Context:
    """`poll_interval_s` is in business seconds; `sent_for_polled` is what becomes of a reading that
    is sent for a meter which we read ourselves; nothing held is dropped with `held_kept_days` of 0.
    """

    database: Database
    clock: Clock
    profiles: Mapping[str, Profile]
    partitions: int = 16
    poll_interval_s: float = 900
    future_tolerance_s: int = 300
    held_kept_days: int = 0
    sent_for_polled: ForPolled = "refuse"
    switching: SwitchingPolicy = field(default_factory=SwitchingPolicy)
    clocks: ClockPolicy = IN_UTC
    allowed: AllowedAddresses = ANYTHING

    def latest_s(self) -> int:
        """The epoch second after which a reading is of the future."""
        return int(self.clock.now().timestamp()) + self.future_tolerance_s

    def wall_after(self, seconds: float) -> datetime:
        """When so many real seconds will have gone by."""
        return self.clock.wall_now() + timedelta(seconds=seconds)
