"""A tariff plan's prices as they were written down; what makes them wrong is in checking.

Energy is in base units (Wh, or litres of water, or dm³ of gas), a price is for a thousand of
them, amounts are micro-units of the currency.
"""

from dataclasses import dataclass
from typing import Literal

MINUTES_A_DAY = 1440
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "hol")
HOLIDAY = DAY_NAMES.index("hol")
"""A holiday is rated as a day of the week of its own."""
ENERGY = "energy"
MINIMUM = "minimum"
FREE = "free"
RESERVED = frozenset({ENERGY, MINIMUM, FREE})
"""Names that components and periods cannot take."""

Count = Literal["all", "period"]
Reset = Literal["month", "day"]
Size = Literal["fixed", "prorated", "per_day"]
MonthDay = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Season:
    """Local days from `begins` to `ends`, both in it; it may go over new year."""

    name: str
    begins: MonthDay
    ends: MonthDay


@dataclass(frozen=True, slots=True)
class Block:
    """Energy up to `upto_wh` (inclusive; None is no end) at a price."""

    price_micro: int
    upto_wh: int | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A price period, e.g. `peak`, with its blocks in ascending order, the last one open."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """When a period applies: on these weekdays (Monday is 0, a holiday 7), local minutes from (in)
    to (out), in the named seasons; none named means all."""

    period: str
    weekdays: tuple[int, ...]
    from_minute: int
    to_minute: int
    seasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockRule:
    """How energy moves through blocks.

    `count`: energy of all periods counts, in the order of its use, or each period
    its own. `reset`: the position begins anew with each local month or day. `size`:
    bounds are as written and the position is carried through the month whatever
    version or meter counts; or they are shared out by the days that a scope may
    have (`prorated`), or are meant per day (`per_day`), and the position begins
    anew with each scope.
    """

    count: Count = "all"
    reset: Reset = "month"
    size: Size = "fixed"


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """The first units of every local month cost nothing; for all where no class is named."""

    units_wh: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fixed:
    """A standing charge per local day begun, or a monthly one that accrues by these days.

    `skip_unused`: days on which nothing is used do not count. `first_vend`: not
    rated, but taken by the ledger from the first top-up of the month.
    """

    name: str
    amount_micro: int
    per: Literal["day", "month"] = "day"
    skip_unused: bool = False
    first_vend: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """A price per kW and month: of the connected power, or of the highest average power over
    aligned local windows, counting energy of the named periods only (none named means all)."""

    name: str
    price_micro: int
    of: Literal["connected", "highest"]
    window_minutes: int = 60
    periods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Levy:
    """An amount per thousand units that are not free, or else a share of named components."""

    name: str
    per_unit_micro: int | None = None
    rate_ppm: int = 0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discount:
    """A share of named components taken off; for all where no class is named."""

    name: str
    rate_ppm: int
    on: tuple[str, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Minimum:
    """What the named components of a month come to at least, shared out by days begun."""

    amount_micro: int
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tax:
    """A share, in parts per million, of the cost of the components named in `on`."""

    name: str
    rate_ppm: int
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """Everything a plan version charges for.

    Without a schedule there is one period, and it always applies. A holiday is
    (year, month, day), the year 0 where it is one every year.
    """

    periods: tuple[Period, ...]
    schedule: tuple[Band, ...] = ()
    seasons: tuple[Season, ...] = ()
    holidays: frozenset[tuple[int, int, int]] = frozenset()
    blocks: BlockRule = BlockRule()
    free: FreeUnits | None = None
    fixed: tuple[Fixed, ...] = ()
    demand: tuple[Demand, ...] = ()
    levies: tuple[Levy, ...] = ()
    discounts: tuple[Discount, ...] = ()
    minimum: Minimum | None = None
    taxes: tuple[Tax, ...] = ()
