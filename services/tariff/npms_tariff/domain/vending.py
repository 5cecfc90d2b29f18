"""Units for money and money for units: what energy costs from where the month stands.

A sale is priced as if its energy were used at once, at the instant of the sale and so in the
period then in force: C(position + units) - C(position), with the C of rating itself. What does
not follow from energy is no part of it: fixed charges and demand of the connected power accrue
by the day, a minimum is settled when the month ends, and what is collected at the first vend the
ledger takes off the payment before. Where a plan measures the highest demand, what units cost
depends on how fast they are used: such a plan sells none.
"""

from copy import copy
from dataclasses import dataclass, replace

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.plan import MINIMUM
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import FOR_EVER_S, Rated, RatingState
from npms_tariff.domain.tariff import Tariff

MOST_WH = 10**12
"""A billion kWh or m³: nobody buys more at once."""
_LISTS = ("slots", "carried", "day_slots", "demand", "nano", "paid_micro")


class CannotSell(Exception):
    """`code` says why units have no price here."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Position:
    """Where an installation stands at the instant of a sale: the version and period in force, and
    what was used this month. The state is a copy, and no reading is rated into it."""

    tariff: Tariff
    period: str
    month_wh: int
    state: RatingState

    @property
    def not_included(self) -> tuple[str, ...]:
        """Components of the plan that a sale is not charged with."""
        prices = self.tariff.prices
        names = [*(part.name for part in prices.fixed), *(part.name for part in prices.demand)]
        return (*names, MINIMUM) if prices.minimum is not None else tuple(names)


@dataclass(frozen=True, slots=True)
class Sale:
    """`lines` sum to the cost; cost and residue are the money."""

    energy_wh: int
    cost_micro: int
    tax_micro: int
    residue_micro: int
    lines: tuple[ChargeLine, ...]


def position_at(state: RatingState, at_s: int) -> Position:
    """Where the month stands at an instant, or at the last reading if that is later.

    Raises NoPlanInForce, CannotSell.
    """
    here = _copied(state)
    rate(here, max(at_s, here.read_at_s) + 1, here.register_wh, Rated())
    cell = here.cell
    assert cell is not None
    if cell.tariff.highest:
        raise CannotSell(
            "demand_measured",
            "what units cost depends on the highest demand they are used at; sell credit instead",
        )
    here.cell, here.until_s = replace(cell, end_s=FOR_EVER_S), FOR_EVER_S
    here.paid_until_s = here.used_until_s = FOR_EVER_S
    period = cell.tariff.prices.periods[cell.period].name
    return Position(cell.tariff, period, sum(here.used_by_period()), here)


def units_for(position: Position, money_micro: int) -> Sale:
    """The units that a sum of money (zero or more) buys, and what is left of it.

    They cost no more than the money, and one unit more does: the most there are,
    where no discount takes off more than the unit costs. Raises CannotSell.
    """
    if money_for(position, MOST_WH).cost_micro <= money_micro:
        detail = f"so much money would buy {MOST_WH // 1000} or more: see the plan's prices"
        raise CannotSell("units_unlimited", detail)
    enough, too_many = 0, 1
    while too_many < MOST_WH and money_for(position, too_many).cost_micro <= money_micro:
        enough, too_many = too_many, min(2 * too_many, MOST_WH)
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        if money_for(position, middle).cost_micro <= money_micro:
            enough = middle
        else:
            too_many = middle
    sale = money_for(position, enough)
    return replace(sale, residue_micro=money_micro - sale.cost_micro)


def money_for(position: Position, energy_wh: int) -> Sale:
    """What units (zero or more) cost, to the micro-unit."""
    buyer, rated = _copied(position.state), Rated()
    rate(buyer, buyer.read_at_s + 1, buyer.register_wh + energy_wh, rated)
    if not rated.charges:
        return Sale(energy_wh, 0, 0, 0, ())
    *_, amount_micro, tax_micro, lines = rated.charges[0]
    return Sale(energy_wh, amount_micro, tax_micro, 0, tuple(lines))


def _copied(state: RatingState) -> RatingState:
    own = copy(state)
    for name in _LISTS:
        setattr(own, name, list(getattr(own, name)))
    return own
