"""Where the rating of one installation stands. Mutable on purpose: it is touched per reading."""

from dataclasses import dataclass, field

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import Calendar, Cell
from npms_tariff.domain.tariff import WH_A_KWH, Slots, Tariff

FOR_EVER_S = 1 << 62
UNBOUNDED_WH = 1 << 62

Charge = tuple[int, int, int, int, int, int, int, int, int, int, list[ChargeLine]]
"""(installation, account, register from, to, seconds from, to, plan version, energy Wh, amount
micro, of it tax micro, lines): the columns of a batch of charges, in their order."""

ClosedHour = tuple[int, int, int, int]
"""(installation, first second of the local hour, energy Wh, amount micro)"""

ClosedScope = tuple[int, int, int, Slots, int, int]
"""(installation, plan version, month, energy by slot, days, cost micro)"""


@dataclass(slots=True)
class Rated:
    """What rating produced, in order."""

    charges: list[Charge] = field(default_factory=list)
    hours: list[ClosedHour] = field(default_factory=list)
    scopes: list[ClosedScope] = field(default_factory=list)


class RatingState:
    """The last rated reading, the accumulators of the open scope, and a cursor into the prices.

    A scope is a calendar month of the account under one plan version; its
    accumulators are the energy of each slot and the number of days begun. The
    cursor (`until_s` … `tax_micro`) is derived from the rest: see `resume`.
    """

    __slots__ = (
        "account_id",
        "block",
        "calendar",
        "cell",
        "charged_micro",
        "currency",
        "daily_nano",
        "days",
        "ends_s",
        "energy_nano",
        "hour_micro",
        "hour_s",
        "hour_wh",
        "installation_id",
        "month",
        "paid_until_s",
        "period",
        "plan_version_id",
        "price_micro",
        "rated_wh",
        "read_at_s",
        "readings_billed",
        "register_wh",
        "room_wh",
        "slot",
        "slot_micro",
        "slots",
        "tariff",
        "tax_micro",
        "until_s",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        installation_id: int,
        *,
        account_id: int,
        currency: str,
        calendar: Calendar,
        register_wh: int,
        read_at_s: int,
    ) -> None:
        self.installation_id, self.account_id, self.currency = installation_id, account_id, currency
        self.calendar = calendar
        self.register_wh, self.read_at_s = register_wh, read_at_s
        self.ends_s = FOR_EVER_S
        self.rated_wh = self.charged_micro = self.readings_billed = self.version = 0
        self.plan_version_id = self.month = self.days = 0
        self.slots: Slots = []
        self.paid_until_s = read_at_s
        self.hour_s = self.hour_wh = self.hour_micro = 0
        self.tariff: Tariff | None = None
        self.cell: Cell | None = None
        self.until_s = self.room_wh = -1
        self.slot = self.price_micro = self.slot_micro = self.block = 0
        self.period = ""
        self.energy_nano = self.daily_nano = 0
        self.tax_micro: list[int] = []

    def resume(self, tariff: Tariff) -> None:
        """Derive what the open scope has cost so far, after loading its accumulators."""
        self.tariff = tariff
        self.energy_nano = tariff.energy_nano(self.slots)
        self.daily_nano = self.days * tariff.prices.daily_micro * WH_A_KWH
        self.tax_micro = [t.due_micro(self.energy_nano, self.daily_nano) for t in tariff.taxes]

    def open_scope(self, tariff: Tariff, month: int) -> None:
        """Start a month under a plan version with nothing used."""
        self.plan_version_id, self.month, self.days = tariff.version_id, month, 0
        self.slots = tariff.no_use()
        self.resume(tariff)
