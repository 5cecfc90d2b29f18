"""The form in which a plan's prices are written, sent and stored; its rules are in domain/plan."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from npms_shared.money import MICRO, AmountError, format_amount, parse_amount
from npms_shared.web.schemas import CodedError, Schema
from npms_tariff.domain.plan import DAY_NAMES, Band, BlockScope, Period, Prices, Tax

MOST_MICRO = 1_000_000 * MICRO
"""More a kWh or a day is a mistake, and a month of it no balance could hold."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LocalTime = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["06:00"]),
]


def _price(text: str) -> str:
    try:
        micro = parse_amount(text)
    except AmountError as fault:
        raise CodedError(fault.code, f"{text!r} is no price: {fault.code}") from None
    if micro < 0:
        raise CodedError("negative_price", "a price is zero or more")
    if micro > MOST_MICRO:
        raise CodedError("price_too_large", f"a price is at most {MOST_MICRO // MICRO} units")
    return format_amount(micro)


Price = Annotated[
    str,
    AfterValidator(_price),
    Field(description="currency units, at most six decimals", examples=["24.500000"]),
]


class PeriodDocument(Schema):
    """A price period: one price per kWh for each block."""

    name: Name = Field(examples=["peak"])
    prices: list[Price] = Field(min_length=1, max_length=20)


class BandDocument(Schema):
    """When a period applies, in the account's local time; `to` is the first minute after it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    period: str = Field(examples=["peak"])
    weekdays: list[Weekday] = Field(min_length=1, max_length=7, examples=[["mon", "tue"]])
    from_time: LocalTime = Field(alias="from", examples=["06:00"])
    to_time: LocalTime = Field(alias="to", examples=["22:00"])


class EnergyDocument(Schema):
    """Prices of energy; `schedule` may be left out where there is one period."""

    block_edges_wh: list[int] = Field(
        default=[],
        max_length=19,
        description="upper bounds of all blocks but the last, which is open; Wh a month, inclusive",
        examples=[[50_000, 150_000]],
    )
    block_scope: BlockScope = Field(
        default="month_total",
        description="whether all periods' energy counts against the blocks, or each its own",
    )
    periods: list[PeriodDocument] = Field(min_length=1, max_length=24)
    schedule: list[BandDocument] = Field(default=[], max_length=200)


class DailyDocument(Schema):
    """A fixed charge for every local day begun, whether anything is used or not."""

    amount: Price = Field(examples=["5.000000"])


class TaxDocument(Schema):
    """A share of the named components' cost."""

    name: Name = Field(examples=["vat"])
    rate_ppm: int = Field(
        ge=0, le=10_000_000, description="parts per million: 160000 is 16 %", examples=[160_000]
    )
    on: list[str] = Field(min_length=1, max_length=2, examples=[["energy", "daily"]])


class PlanDocument(Schema):
    """All that a plan version charges for."""

    energy: EnergyDocument
    daily: DailyDocument | None = None
    taxes: list[TaxDocument] = Field(default=[], max_length=10)

    def prices(self) -> Prices:
        """As the domain has it; not yet checked."""
        energy = self.energy
        return Prices(
            periods=tuple(
                Period(p.name, tuple(parse_amount(price) for price in p.prices))
                for p in energy.periods
            ),
            schedule=tuple(_band(band) for band in energy.schedule),
            block_edges_wh=tuple(energy.block_edges_wh),
            block_scope=energy.block_scope,
            daily_micro=parse_amount(self.daily.amount) if self.daily else 0,
            taxes=tuple(Tax(tax.name, tax.rate_ppm, tuple(tax.on)) for tax in self.taxes),
        )


def _band(band: BandDocument) -> Band:
    weekdays = tuple(sorted({DAY_NAMES.index(day) for day in band.weekdays}))
    return Band(band.period, weekdays, _minute(band.from_time), _minute(band.to_time))


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)
