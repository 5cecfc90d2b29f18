"""How much a partner may sell in a day: what a stolen token can be worth."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from npms_payments.domain.errors import PartnerLimitReached


@dataclass(frozen=True, slots=True)
class PartnerDay:
    """A partner's day in one currency, in micro-units."""

    limit_micro: int
    sold_micro: int

    @property
    def left_micro(self) -> int:
        return max(0, self.limit_micro - self.sold_micro)

    def check(self, amount_micro: int) -> None:
        """Raises PartnerLimitReached where the amount is more than what is left."""
        if amount_micro > self.left_micro:
            raise PartnerLimitReached(limit_micro=self.limit_micro, left_micro=self.left_micro)


def day_of(at: datetime) -> date:
    """Days begin at midnight UTC, for every partner."""
    return at.astimezone(UTC).date()
