"""Where the rating of one installation stands. Mutable on purpose: it is touched per reading."""

from bisect import bisect_right
from dataclasses import dataclass, field

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import Calendar, Cell
from npms_tariff.domain.tariff import ENERGY_INDEX, UNITS_A_PRICE, Slots, Standing, Tariff

FOR_EVER_S = 1 << 62
UNBOUNDED_WH = 1 << 62

Charge = tuple[int, int, int, int, int, int, int, int, int, int, list[ChargeLine]]
"""(installation, account, register from, to, seconds from, to, plan version, energy Wh, amount
micro, of it tax micro, lines): the columns of a batch of charges, in their order."""

ClosedHour = tuple[int, int, int, int]
"""(installation, first second of the local hour, energy Wh, amount micro)"""

ClosedDay = tuple[int, int, int, int]
"""(installation, first second of the local day, energy Wh, amount micro)"""

ClosedMonth = tuple[int, int, int, int]
"""(installation, year x 100 + month, energy Wh, amount micro)"""

ClosedScope = tuple[int, int, int, Slots, int, int, list[int], int]
"""(installation, plan version, month, energy by slot, days, days on which something was used,
measured demand as kept, cost micro)"""

WINDOW, PEAK, PAID_W = range(3)
"""What is kept of each measured demand: Wh used in the running window, the most Wh in one window
of this scope, and the highest power of this month, in W, that an earlier scope was charged for."""


@dataclass(slots=True)
class Rated:
    """What rating produced, in order."""

    charges: list[Charge] = field(default_factory=list)
    hours: list[ClosedHour] = field(default_factory=list)
    days: list[ClosedDay] = field(default_factory=list)
    months: list[ClosedMonth] = field(default_factory=list)
    scopes: list[ClosedScope] = field(default_factory=list)


NUMBERS = (
    "plan_version_id",
    "month",
    "days_left",
    "days",
    "used_days",
    "paid_until_s",
    "used_until_s",
    "window_s",
    "hour_s",
    "hour_wh",
    "hour_micro",
    "day_s",
    "day_wh",
    "day_micro",
    "month_wh",
    "month_micro",
)
LISTS = ("slots", "carried", "day_slots", "demand")
"""NUMBERS and LISTS are what of a state is stored besides its registers and totals; everything
else follows from it."""


class RatingState:
    """The last rated reading, the accumulators of the open scope, and a cursor into the prices.

    A scope is a calendar month of the account under one plan version. Its
    accumulators: `slots`; `days` begun and `used_days`; `demand`, three numbers an
    item; `carried`, what each period had used in the month before the scope began;
    `day_slots`, what it had used of the scope when the day began. `days_left` is how
    many days of its month the scope may have. Usage of the running hour, day and
    month is kept beside them, that of the day without the running hour and that of
    the month without the running day. The cursor (`until_s` and what follows from
    the accumulators) is derived: see `resume`. `moved` is false while nothing but
    energy in the running cell was added since it was saved.
    """

    __slots__ = (
        *NUMBERS,
        *LISTS,
        "account_id",
        "block",
        "bounds",
        "calendar",
        "cell",
        "charged_micro",
        "connected_w",
        "currency",
        "ends_s",
        "installation_id",
        "moved",
        "nano",
        "paid_micro",
        "paid_wh",
        "period",
        "price_micro",
        "rated_wh",
        "read_at_s",
        "readings_billed",
        "register_wh",
        "room_wh",
        "slot",
        "slot_micro",
        "tariff",
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
        connected_w: int = 0,
    ) -> None:
        self.installation_id, self.account_id, self.currency = installation_id, account_id, currency
        self.calendar, self.connected_w = calendar, connected_w
        self.register_wh, self.read_at_s = register_wh, read_at_s
        self.ends_s = FOR_EVER_S
        self.moved = True
        self.rated_wh = self.charged_micro = self.readings_billed = self.version = 0
        self.plan_version_id = self.month = self.days_left = self.days = self.used_days = 0
        self.paid_until_s = self.used_until_s = read_at_s
        self.slots: Slots = []
        self.carried: list[int] = []
        self.day_slots: list[int] = []
        self.demand: list[int] = []
        self.window_s = self.hour_s = self.hour_wh = self.hour_micro = 0
        self.day_s = self.day_wh = self.day_micro = self.month_wh = self.month_micro = 0
        self.tariff: Tariff | None = None
        self.cell: Cell | None = None
        self.until_s = self.room_wh = -1
        self.slot = self.price_micro = self.slot_micro = self.block = self.paid_wh = 0
        self.period = ""
        self.bounds: tuple[tuple[int, ...], ...] = ()
        self.nano: list[int] = []
        self.paid_micro: list[int] = []

    def resume(self, tariff: Tariff) -> None:
        """Derive what the open scope has cost so far, after loading its accumulators."""
        self.tariff = tariff
        self.bounds = tariff.bounds_in(self.days_left, days_in(self.month))
        self.paid_wh = tariff.paid_wh(self.slots)
        self.nano = [0] * tariff.components
        self.paid_micro = [0] * tariff.components
        self.nano[ENERGY_INDEX] = tariff.energy_nano(self.slots)
        self.pay_standing([])
        self.pay_derived([])

    def pay_standing(self, lines: list[ChargeLine]) -> int:
        """What fixed components and demand have grown by, as lines; returns the sum."""
        assert self.tariff is not None
        return sum(
            self.pay(standing.index, standing.label, self._standing_nano(standing), lines)
            for standing in self.tariff.standing
        )

    def _standing_nano(self, standing: Standing) -> int:
        if standing.fixed is not None:
            days = self.used_days if standing.fixed.skip_unused else self.days
            if standing.fixed.per == "day":
                return standing.fixed.amount_micro * days * UNITS_A_PRICE
            return standing.fixed.amount_micro * days // days_in(self.month) * UNITS_A_PRICE
        assert standing.demand is not None
        if standing.item < 0:
            a_month = self.connected_w * standing.demand.price_micro // UNITS_A_PRICE
            return a_month * self.days // days_in(self.month) * UNITS_A_PRICE
        paid_w = self.demand[standing.item * 3 + PAID_W]
        return max(0, self.peak_w(standing.item) - paid_w) * standing.demand.price_micro

    def pay(self, index: int, label: str, nano: int, lines: list[ChargeLine]) -> int:
        """Set what a component has cost; what it has grown by becomes a line and is returned."""
        self.nano[index] = nano
        due_micro = nano // UNITS_A_PRICE if nano >= 0 else -(-nano // UNITS_A_PRICE)
        grown = due_micro - self.paid_micro[index]
        if grown:
            self.paid_micro[index] = due_micro
            lines.append((label, "", 0, 0, grown))
        return grown

    def pay_derived(self, lines: list[ChargeLine]) -> tuple[int, int]:
        """What all that follows from energy has grown by, as lines; returns (sum, of it tax)."""
        total = tax = 0
        nano, paid = self.nano, self.paid_micro
        assert self.tariff is not None
        for derived in self.tariff.derived:
            index = derived.index
            if derived.per_unit_micro:
                value = self.paid_wh * derived.per_unit_micro
            else:
                base = 0
                for component in derived.on:
                    base += nano[component]
                value = base * derived.rate_ppm // 1_000_000
            due_micro = value // 1000 if value >= 0 else -(-value // 1000)
            if derived.sign < 0:
                value, due_micro = -value, -due_micro
            nano[index] = value
            grown = due_micro - paid[index]
            if grown:
                paid[index] = due_micro
                total += grown
                if derived.is_tax:
                    tax += grown
                lines.append((derived.label, "", 0, 0, grown))
        return total, tax

    def open_scope(self, tariff: Tariff, cell: Cell) -> None:
        """Start a month under a plan version with nothing used in it."""
        same_month = self.month == cell.month
        self.carried = self._carried_to(tariff) if same_month else []
        self.demand = self._demand_of(tariff, same_month=same_month)
        self.plan_version_id, self.month, self.days_left = (
            tariff.version_id, cell.month, cell.days_left,
        )  # fmt: skip
        self.slots, self.day_slots = tariff.no_use(), []
        self.days = self.used_days = 0
        self.resume(tariff)

    def used_by_period(self) -> list[int]:
        """What every period of the open scope's version has used in the month."""
        if self.tariff is None:
            return []
        used = self.tariff.by_period(self.slots)
        return [a + b for a, b in zip(used, self.carried or [0] * len(used), strict=True)]

    def _carried_to(self, tariff: Tariff) -> list[int]:
        """The month's use so far by the new version's periods.

        Periods of the same name go on. What has no such period counts in the first,
        so that the total of all goes on in any case.
        """
        if self.tariff is None:
            return []
        names = [period.name for period in tariff.prices.periods]
        carried = [0] * len(names)
        for period, used_wh in zip(self.tariff.prices.periods, self.used_by_period(), strict=True):
            carried[names.index(period.name) if period.name in names else 0] += used_wh
        return carried if any(carried) else []

    def _demand_of(self, tariff: Tariff, *, same_month: bool) -> list[int]:
        """Nothing measured; what was charged of a demand of the same name is not charged again."""
        charged: dict[str, int] = {}
        if same_month and self.tariff is not None:
            for item, demand in enumerate(self.tariff.highest):
                charged[demand.name] = max(self.peak_w(item), self.demand[item * 3 + PAID_W])
        return [part for demand in tariff.highest for part in (0, 0, charged.get(demand.name, 0))]

    def peak_w(self, item: int) -> int:
        """The highest average power of a measured demand in the scope."""
        assert self.tariff is not None
        return self.demand[item * 3 + PEAK] * (60 // self.tariff.window_minutes)

    def aim(self, cell: Cell) -> None:
        """Point the cursor at the slot that takes the next unit, with the room it has."""
        tariff, period = cell.tariff, cell.period
        free_wh = tariff.free_wh
        if free_wh:
            free_wh -= sum(self.slots) + sum(self.carried)
        if free_wh > 0:
            slot, room_wh = tariff.free_slot(period), free_wh
        else:
            slot, room_wh = self._block_at(tariff, period)
        self.slot, self.room_wh = slot, room_wh
        self.price_micro = tariff.slot_prices[slot]
        self.slot_micro = self.slots[slot] * self.price_micro // UNITS_A_PRICE
        self.period, self.block = tariff.labels[slot]

    def _block_at(self, tariff: Tariff, period: int) -> tuple[int, int]:
        bounds, first = self.bounds[period], tariff.offsets[period]
        if not bounds:
            return first, UNBOUNDED_WH
        used = self._position(tariff, period)
        block = bisect_right(bounds, used)
        return first + block, bounds[block] - used if block < len(bounds) else UNBOUNDED_WH

    def _position(self, tariff: Tariff, period: int) -> int:
        """The energy that counts against the period's blocks."""
        if tariff.counts_month:
            return sum(self.slots) + sum(self.carried)
        rule = tariff.prices.blocks
        used = tariff.by_period(self.slots)
        if rule.reset == "day":
            if self.day_slots:
                used = [a - b for a, b in zip(used, self.day_slots, strict=True)]
        elif rule.size == "fixed" and self.carried:
            used = [a + b for a, b in zip(used, self.carried, strict=True)]
        return sum(used) if rule.count == "all" else used[period]

    def cost_micro(self) -> int:
        """C: what the open scope has cost, every line of it rounded once."""
        assert self.tariff is not None
        prices = self.tariff.slot_prices
        energy = sum(
            wh * price // UNITS_A_PRICE for wh, price in zip(self.slots, prices, strict=True)
        )
        return energy + sum(self.paid_micro)


def days_in(month: int) -> int:
    """How many days a month (year x 100 + month) has; 1 for none, before the first scope."""
    if not month:
        return 1
    year, number = divmod(month, 100)
    if number == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if number in (4, 6, 9, 11) else 31
