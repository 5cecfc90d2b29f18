"""The parts of a profile file about what a meter keeps: clock, freezes, events, status bits."""

from typing import Literal

from pydantic import Field

from npms_meter_gateway.domain import records as domain
from npms_meter_gateway.domain.device_time import TimeField, TimeFormat
from npms_meter_gateway.profiles.fields import Block, Register
from npms_meter_gateway.profiles.point_block import NumberBlock, points_of

Count = Field(ge=1, le=0xFFFF)


class TimeBlock(Block):
    """How a time is written: its fields in the order in which they stand, high byte first."""

    fields: list[TimeField] = Field(min_length=3)
    unit: Literal["byte", "register"] = "byte"
    coding: Literal["binary", "bcd"] = "binary"


class ClockBlock(Block):
    address: Register
    time: TimeBlock
    set_by: Literal["none", "fc16"] = "none"


class RecordsBlock(Block):
    table: Literal["input", "holding"] = "holding"
    base: Register
    count: int = Count
    words: int = Field(ge=1, le=125)
    stride: int = Count


class FreezesBlock(Block):
    every: Literal["day", "month"]
    records: RecordsBlock
    time: TimeBlock
    time_at: Register = 0
    points: dict[str, NumberBlock]


class EventRuleBlock(Block):
    code: Register
    kind: str
    detail: Register | None = None
    bits: int | None = Field(default=None, ge=1, le=0xFFFF)


class EventsBlock(Block):
    records: RecordsBlock
    time: TimeBlock
    time_at: Register = 0
    code_at: Register
    detail_at: Register | None = None
    rules: list[EventRuleBlock] = Field(min_length=1)


class BitsBlock(Block):
    bits: int = Field(ge=1, le=0xFFFF)
    kind: str


class StatusBlock(Block):
    table: Literal["input", "holding"] = "holding"
    address: Register
    rules: list[BitsBlock] = Field(min_length=1)


def clock_of(block: ClockBlock | None) -> domain.Clock | None:
    if block is None:
        return None
    return domain.Clock(block.address, _time(block.time), is_settable=block.set_by == "fc16")


def freezes_of(block: FreezesBlock) -> domain.Freezes:
    return domain.Freezes(
        every=block.every,
        records=_records(block.records),
        time=_time(block.time),
        time_at=block.time_at,
        points=points_of(block.points),
    )


def events_of(block: EventsBlock | None) -> domain.EventLog | None:
    if block is None:
        return None
    return domain.EventLog(
        records=_records(block.records),
        time=_time(block.time),
        time_at=block.time_at,
        code_at=block.code_at,
        detail_at=block.detail_at,
        rules=tuple(domain.EventRule(**dict(rule)) for rule in block.rules),
    )


def status_of(block: StatusBlock) -> domain.Status:
    kinds = {rule.bits: rule.kind for rule in block.rules}
    return domain.Status(block.table, block.address, kinds)


def _time(block: TimeBlock) -> TimeFormat:
    return TimeFormat(tuple(block.fields), block.unit, block.coding)


def _records(block: RecordsBlock) -> domain.Records:
    return domain.Records(**dict(block))
