"""What will clear an account at the end of a hold, if use goes on as it did."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from npms_ledger.domain import grants
from npms_ledger.domain.due import catch_up
from npms_ledger.domain.grant import ChargeKind
from npms_ledger.domain.periods import local_day
from npms_ledger.domain.policy import CreditPolicy, in_force
from npms_ledger.domain.position import Position, charge
from npms_ledger.domain.waterfall import amount_to_clear


@dataclass(frozen=True, slots=True)
class Use:
    """What was charged over a time; of less than an hour nothing is concluded."""

    amount_micro: int
    over: timedelta

    def by(self, duration: timedelta) -> int:
        """What the same use costs over a duration, rounded up."""
        seconds, over_s = int(duration.total_seconds()), int(self.over.total_seconds())
        return max(0, -(-self.amount_micro * seconds // over_s))

    def basis(self) -> str | None:
        """The assumption in words; None where there is too little to assume anything."""
        hours = int(self.over.total_seconds()) // 3600
        return f"use as on average over the last {hours} h" if hours else None


def clears_at(
    position: Position,
    *,
    policy: CreditPolicy,
    zone: ZoneInfo,
    now: datetime,
    until: datetime,
    use: Use,
) -> int:
    """The amount to clear at `until`, with the same use and what time recovers of debts by then."""
    late, _ = in_force(policy, opened_at=position.opened_at, now=until)
    came = catch_up(replace(position, supply_on=True), policy=late, zone=zone, now=until).position
    amount_micro = use.by(until - now)
    used = charge(came, amount_micro).position
    drawn = grants.draw(
        used, amount_micro=amount_micro, kind=ChargeKind.CONSUMPTION, floor_micro=late.floor_micro
    )
    return amount_to_clear(drawn.position, late, local_day(until, zone))
