"""What a message says: one reading, or a list of them, as JSON."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from npms_meter_gateway.domain.register import MAX_WH, register_wh_of
from npms_meter_gateway.handlers.take_messages import Message, Reported, Unreadable
from npms_meter_gateway.handlers.take_readings import SentReading
from npms_shared.texts import is_readable_line, one_line
from npms_shared.web.schemas import Instant, Line

MOST = 1000
LARGEST = 256 * 1024


def _kwh(value: str | Decimal) -> str:
    text = value if isinstance(value, str) else f"{value:f}"
    register_wh_of(text)
    return text


class _Item(BaseModel):
    """Fields that we do not know are left alone: devices tell more than their registers."""

    model_config = ConfigDict(extra="ignore")

    serial: Line | None = None
    taken_at: Instant
    register_wh: int | None = Field(default=None, ge=0, le=MAX_WH, strict=True)
    register_kwh: Annotated[str | Decimal, AfterValidator(_kwh)] | None = None
    power_w: int | None = Field(default=None, ge=-(2**40), le=2**40)
    voltage_v: Decimal | None = Field(default=None, ge=0, le=1_000_000)
    relay: Literal["on", "off", "unknown"] | None = None


_ITEMS = TypeAdapter(list[_Item])


def read_message(prefix: str, topic: str, body: bytes) -> Message:
    """A message of {prefix}/meters/{serial}/readings, or of {prefix}/readings."""
    inside = topic.removeprefix(f"{prefix}/").split("/")
    try:
        serial = _spelled(inside[1]) if inside[0] == "meters" else None
        return Message(topic, body, readings_of(body, serial))
    except Unreadable as fault:
        return Message(topic, body, fault)


def _spelled(serial: str) -> str:
    """As at its opening, so that the same meter is found. Raises Unreadable."""
    if not is_readable_line(serial):
        raise Unreadable("malformed", "the topic's serial has characters that are not seen")
    return one_line(serial)


def readings_of(body: bytes, serial: str | None) -> list[Reported]:
    """The readings of a message; `serial` is the topic's, None where each reading names its own.

    Raises Unreadable saying where.
    """
    if len(body) > LARGEST:
        raise Unreadable("too_large", f"{len(body)} bytes, at most {LARGEST}")
    is_list = body.lstrip()[:1] == b"["
    try:
        items = _ITEMS.validate_json(body) if is_list else [_Item.model_validate_json(body)]
    except ValidationError as fault:
        raise Unreadable("malformed", _words(fault)) from None
    if not 1 <= len(items) <= MOST:
        raise Unreadable("malformed", f"{len(items)} readings, expected 1 to {MOST}")
    return [_reported(item, serial, place) for place, item in enumerate(items)]


def _reported(item: _Item, serial: str | None, place: int) -> Reported:
    meter = item.serial or serial
    if meter is None or (serial is not None and meter != serial):
        raise Unreadable("malformed", f"{place}.serial: {meter or 'missing'}; the topic: {serial}")
    if (item.register_wh is None) == (item.register_kwh is None):
        raise Unreadable("malformed", f"{place}: give either register_wh or register_kwh")
    register_wh = item.register_wh
    if register_wh is None:
        register_wh = register_wh_of(str(item.register_kwh))
    return Reported(
        SentReading(meter, int(item.taken_at.timestamp()), register_wh),
        power_w=item.power_w,
        voltage_mv=None if item.voltage_v is None else int(item.voltage_v * 1000),
        relay=item.relay,
    )


def _words(fault: ValidationError) -> str:
    errors = fault.errors(include_url=False, include_input=False)[:3]
    return "; ".join(".".join(map(str, e["loc"])) + ": " + e["msg"] for e in errors)
