"""The form in which a plan's prices are written, sent and stored; its rules are in domain/plan."""

from typing import Literal

from pydantic import ConfigDict, Field

from npms_shared.money import parse_amount
from npms_shared.web.schemas import Schema
from npms_tariff.document_types import (
    UNIT_MICRO,
    Classes,
    Holiday,
    LocalTime,
    Name,
    On,
    Price,
    RatePpm,
    Units,
    Weekday,
    YearDay,
)
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
            fixed=tuple(_fixed(fixed) for fixed in self.fixed),
            demand=tuple(_demand(demand) for demand in self.demand),
            levies=tuple(_levy(levy) for levy in self.levies),
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


def _fixed(fixed: FixedDocument) -> Fixed:
    return Fixed(
        fixed.name,
        parse_amount(fixed.amount),
        per=fixed.per,
        skip_unused=fixed.off_supply == "skip",
        first_vend=fixed.collect == "first_vend",
    )


def _demand(demand: DemandDocument) -> Demand:
    return Demand(
        demand.name,
        parse_amount(demand.price),
        of=demand.of,
        window_minutes=demand.window_minutes,
        periods=tuple(demand.periods),
    )


def _levy(levy: LevyDocument) -> Levy:
    per_unit = None if levy.per_unit is None else parse_amount(levy.per_unit)
    return Levy(levy.name, per_unit, levy.rate_ppm, tuple(levy.on))
