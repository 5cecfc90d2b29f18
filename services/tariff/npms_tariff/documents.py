"""The form in which a plan's prices are written, sent and stored; its rules are in domain/plan."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from npms_shared.money import MICRO, AmountError, format_amount, parse_amount
from npms_shared.web.schemas import CodedError, Schema
from npms_tariff.domain.plan import (
    DAY_NAMES,
    Band,
    Block,
    BlockRule,
    Count,
    Demand,
    Discount,
    Fixed,
    FreeUnits,
    Levy,
    Minimum,
    MonthDay,
    Period,
    Prices,
    Reset,
    Season,
    Size,
    Tax,
)

MOST_MICRO = 1_000_000 * MICRO
"""More a kWh or a day is a mistake, and a month of it no balance could hold."""
MOST_UNITS = 1_000_000_000
UNIT_MICRO = MICRO // 1000
"""A base unit is a thousandth of what prices are for."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "hol"]
LocalTime = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["06:00"]),
]
YearDay = Annotated[
    str,
    Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", examples=["06-01"]),
]
Holiday = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        description="MM-DD every year, or YYYY-MM-DD once",
        examples=["12-25"],
    ),
]
RatePpm = Annotated[
    int,
    Field(ge=0, le=10_000_000, description="parts per million: 160000 is 16 %", examples=[160_000]),
]
On = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=40,
        description="names of components computed before: `energy`, or those of fixed, demand, "
        "levies, discounts, `minimum`, taxes",
        examples=[["energy"]],
    ),
]
Classes = Annotated[
    list[Name],
    Field(max_length=40, description="customer classes; none named means everybody"),
]


def _price(text: str) -> str:
    micro = _amount(text, "price")
    if micro < 0:
        raise CodedError("negative_price", "a price is zero or more")
    if micro > MOST_MICRO:
        raise CodedError("price_too_large", f"a price is at most {MOST_MICRO // MICRO} units")
    return format_amount(micro)


def _units(text: str) -> str:
    micro = _amount(text, "quantity")
    if micro <= 0:
        raise CodedError("not_positive", "a quantity is above zero")
    if micro > MOST_UNITS * MICRO:
        raise CodedError("quantity_too_large", f"a quantity is at most {MOST_UNITS}")
    if micro % UNIT_MICRO:
        raise CodedError("too_many_decimals", "a quantity has at most three decimals")
    whole, thousandths = divmod(micro // UNIT_MICRO, 1000)
    return f"{whole}.{thousandths:03d}".rstrip("0").rstrip(".")


def _amount(text: str, what: str) -> int:
    try:
        return parse_amount(text)
    except AmountError as fault:
        raise CodedError(fault.code, f"{text!r} is no {what}: {fault.code}") from None


Price = Annotated[
    str,
    AfterValidator(_price),
    Field(
        description="currency units, at most six decimals",
        examples=["24.500000"],
        json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,6})?$"},
    ),
]
Units = Annotated[
    str,
    AfterValidator(_units),
    Field(
        description="kWh, or m³ of water or gas, at most three decimals",
        examples=["50"],
        json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,3}0*)?$"},
    ),
]


class SeasonDocument(Schema):
    """Local days of the year, both in it; it may go over new year."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: Name = Field(examples=["summer"])
    from_day: YearDay = Field(alias="from")
    to_day: YearDay = Field(alias="to", examples=["09-30"])


class BlockDocument(Schema):
    """Energy up to a bound, inclusive, at a price per kWh or m³; the last block has no bound."""

    upto: Units | None = None
    price: Price


class PeriodDocument(Schema):
    """A price period, with its blocks in ascending order."""

    name: Name = Field(examples=["peak"])
    blocks: list[BlockDocument] = Field(min_length=1, max_length=20)


class BandDocument(Schema):
    """When a period applies, in the account's local time; `to` is the first minute after it.

    `hol` stands for the holidays; without `seasons` it applies in all of them.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    period: str = Field(examples=["peak"])
    weekdays: list[Weekday] = Field(min_length=1, max_length=8, examples=[["mon", "tue"]])
    seasons: list[Name] = Field(default=[], max_length=12)
    from_time: LocalTime = Field(alias="from", examples=["06:00"])
    to_time: LocalTime = Field(alias="to", examples=["22:00"])


class BlockRuleDocument(Schema):
    """How energy moves through the blocks."""

    count: Count = Field(
        default="all",
        description="whether the energy of all periods counts, in the order of use, or of each "
        "period its own",
    )
    reset: Reset = Field(default="month", description="local month or day")
    size: Size = Field(
        default="fixed",
        description="`fixed`: bounds as written, the position carried through the month; "
        "`prorated`: shared out by the days a version or a meter may have of the month; "
        "`per_day`: bounds are per day of the month",
    )


class EnergyDocument(Schema):
    """Prices of energy; `schedule` may be left out where there is one period."""

    periods: list[PeriodDocument] = Field(min_length=1, max_length=48)
    schedule: list[BandDocument] = Field(default=[], max_length=400)
    blocks: BlockRuleDocument = BlockRuleDocument()


class FreeUnitsDocument(Schema):
    """The first units of every local month cost nothing; they do count in the blocks."""

    units: Units
    classes: Classes = Field(default=[])


class FixedDocument(Schema):
    """A charge whether anything is used or not: per local day begun, or per month by days begun."""

    name: Name = Field(examples=["standing"])
    amount: Price = Field(examples=["5.000000"])
    per: Literal["day", "month"]
    off_supply: Literal["accrue", "skip"] = Field(
        default="accrue", description="`skip`: days on which nothing is used cost nothing"
    )
    collect: Literal["accrue", "first_vend"] = Field(
        default="accrue",
        description="`first_vend`: taken, with its taxes, from the first top-up of each month",
    )


class DemandDocument(Schema):
    """A price per kW and month: of the connected power, or of the highest average over windows."""

    name: Name = Field(examples=["peak_demand"])
    price: Price
    of: Literal["connected", "highest"]
    window_minutes: int = Field(default=60, description="15, 30 or 60, aligned to the local hour")
    periods: list[Name] = Field(
        default=[], max_length=48, description="whose energy counts; none named means all"
    )


class LevyDocument(Schema):
    """An amount per kWh or m³ that is not free, or a share of named components."""

    name: Name = Field(examples=["fuel"])
    per_unit: Price | None = None
    rate_ppm: RatePpm = 0
    on: list[str] = Field(default=[], max_length=40)


class DiscountDocument(Schema):
    """A share of named components taken off."""

    name: Name = Field(examples=["social"])
    rate_ppm: int = Field(ge=0, le=1_000_000, examples=[650_000])
    on: On
    classes: Classes = Field(default=[])


class MinimumDocument(Schema):
    """What the named components of a month come to at least."""

    amount: Price
    on: On


class TaxDocument(Schema):
    """A share of the named components' cost."""

    name: Name = Field(examples=["vat"])
    rate_ppm: RatePpm
    on: On


class PlanDocument(Schema):
    """All that a plan version charges for."""

    seasons: list[SeasonDocument] = Field(default=[], max_length=12)
    holidays: list[Holiday] = Field(default=[], max_length=400)
    energy: EnergyDocument
    free_units: FreeUnitsDocument | None = None
    fixed: list[FixedDocument] = Field(default=[], max_length=10)
    demand: list[DemandDocument] = Field(default=[], max_length=10)
    levies: list[LevyDocument] = Field(default=[], max_length=10)
    discounts: list[DiscountDocument] = Field(default=[], max_length=10)
    minimum: MinimumDocument | None = None
    taxes: list[TaxDocument] = Field(default=[], max_length=10)

    def prices(self) -> Prices:
        """As the domain has it; not yet checked."""
        return Prices(
            periods=tuple(_period(period) for period in self.energy.periods),
            schedule=tuple(_band(band) for band in self.energy.schedule),
            seasons=tuple(
                Season(s.name, _month_day(s.from_day), _month_day(s.to_day)) for s in self.seasons
            ),
            holidays=frozenset(_holiday(day) for day in self.holidays),
            blocks=BlockRule(**self.energy.blocks.model_dump()),
            free=_free(self.free_units),
            fixed=tuple(_fixed(one) for one in self.fixed),
            demand=tuple(_demand(one) for one in self.demand),
            levies=tuple(_levy(one) for one in self.levies),
            discounts=tuple(
                Discount(d.name, d.rate_ppm, tuple(d.on), tuple(d.classes)) for d in self.discounts
            ),
            minimum=_minimum(self.minimum),
            taxes=tuple(Tax(tax.name, tax.rate_ppm, tuple(tax.on)) for tax in self.taxes),
        )


def _period(period: PeriodDocument) -> Period:
    blocks = (
        Block(parse_amount(block.price), None if block.upto is None else _base_units(block.upto))
        for block in period.blocks
    )
    return Period(period.name, tuple(blocks))


def _base_units(quantity: str) -> int:
    return parse_amount(quantity) // UNIT_MICRO


def _band(band: BandDocument) -> Band:
    weekdays = tuple(sorted({DAY_NAMES.index(day) for day in band.weekdays}))
    begins, ends = _minute(band.from_time), _minute(band.to_time)
    return Band(band.period, weekdays, begins, ends, tuple(band.seasons))


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _month_day(day: str) -> MonthDay:
    month, number = day.split("-")
    return int(month), int(number)


def _holiday(day: str) -> tuple[int, int, int]:
    *year, month, number = day.split("-")
    return int(year[0]) if year else 0, int(month), int(number)


def _free(free: FreeUnitsDocument | None) -> FreeUnits | None:
    return None if free is None else FreeUnits(_base_units(free.units), tuple(free.classes))


def _minimum(minimum: MinimumDocument | None) -> Minimum | None:
    return None if minimum is None else Minimum(parse_amount(minimum.amount), tuple(minimum.on))


def _fixed(one: FixedDocument) -> Fixed:
    return Fixed(
        one.name,
        parse_amount(one.amount),
        per=one.per,
        skip_unused=one.off_supply == "skip",
        first_vend=one.collect == "first_vend",
    )


def _demand(one: DemandDocument) -> Demand:
    return Demand(
        one.name,
        parse_amount(one.price),
        of=one.of,
        window_minutes=one.window_minutes,
        periods=tuple(one.periods),
    )


def _levy(one: LevyDocument) -> Levy:
    per_unit = None if one.per_unit is None else parse_amount(one.per_unit)
    return Levy(one.name, per_unit, one.rate_ppm, tuple(one.on))
