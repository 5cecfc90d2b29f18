"""How a meter answers a Modbus request: reads, and the relay idioms its profile has."""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from npms_tools.street.meter import Meter

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_TARGET = 1, 2, 3, 0x0B
READS = {1: "coil", 3: "holding", 4: "input"}
WRITES = frozenset({5, 6, 15, 16})

Idiom = Callable[[Meter, Mapping[str, Any], tuple[int, ...]], None]


class Illegal(Exception):
    """A request that the meter answers with a Modbus exception."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def answer(meter: Meter, pdu: bytes) -> bytes:
    """What the meter says to a request, an exception included."""
    try:
        return execute(meter, pdu)
    except (Illegal, struct.error) as fault:
        code = fault.code if isinstance(fault, Illegal) else ILLEGAL_VALUE
        return refusal(pdu, code)


def refusal(pdu: bytes, code: int) -> bytes:
    return bytes([pdu[0] | 0x80, code])


def execute(meter: Meter, pdu: bytes) -> bytes:
    """The answer to a request; raises Illegal."""
    function = pdu[0]
    if function in READS:
        return _read(meter, function, pdu)
    if function == 5:
        return _force_coil(meter, pdu)
    if function == 16:
        return _write_registers(meter, pdu)
    raise Illegal(ILLEGAL_FUNCTION)


def _read(meter: Meter, function: int, pdu: bytes) -> bytes:
    address, count = struct.unpack(">HH", pdu[1:5])
    table = READS[function]
    top = meter.map.top(table)
    if top < 0:
        raise Illegal(ILLEGAL_FUNCTION)
    if not 1 <= count <= (2000 if function == 1 else 125):
        raise Illegal(ILLEGAL_VALUE)
    if meter.map.even and function != 1 and (address % 2 or count % 2):
        raise Illegal(ILLEGAL_ADDRESS)
    if address + count > top + 1:
        raise Illegal(ILLEGAL_ADDRESS)
    values = meter.read(table, address, count)
    data = _bits(values) if function == 1 else struct.pack(f">{count}H", *values)
    return bytes([function, len(data)]) + data


def _bits(values: list[int]) -> bytes:
    packed = sum(bit << position for position, bit in enumerate(values))
    return packed.to_bytes((len(values) + 7) // 8, "little")


def _force_coil(meter: Meter, pdu: bytes) -> bytes:
    address, value = struct.unpack(">HH", pdu[1:5])
    relay = meter.map.relay
    if relay is None or relay["kind"] != "fc5_coil" or address != relay.get("address", 0):
        raise Illegal(ILLEGAL_ADDRESS)
    if value not in {0, 0xFF00}:
        raise Illegal(ILLEGAL_VALUE)
    meter.switch(on=value == 0xFF00)
    return pdu


def _write_registers(meter: Meter, pdu: bytes) -> bytes:
    address, count, size = struct.unpack(">HHB", pdu[1:6])
    if len(pdu) - 6 != size or size != 2 * count:
        raise Illegal(ILLEGAL_VALUE)
    values = struct.unpack(f">{count}H", pdu[6:])
    limit = meter.map.load_limit
    if limit is not None and address == limit["address"]:
        _limit(meter, values)
    else:
        _switch(meter, address, values)
    return pdu[:5]


def _limit(meter: Meter, values: tuple[int, ...]) -> None:
    if len(values) != 1:
        raise Illegal(ILLEGAL_VALUE)
    meter.limit_w = meter.map.limit_of(values[0])


def _switch(meter: Meter, address: int, values: tuple[int, ...]) -> None:
    relay = meter.map.relay
    idiom = None if relay is None else IDIOMS.get(relay["kind"])
    if relay is None or idiom is None or address != relay.get("address", 0):
        raise Illegal(ILLEGAL_ADDRESS)
    idiom(meter, relay, values)


def _by_register(meter: Meter, relay: Mapping[str, Any], values: tuple[int, ...]) -> None:
    on, off = relay.get("value_on", 1), relay.get("value_off", 0)
    if len(values) != 1 or values[0] not in {on, off}:
        raise Illegal(ILLEGAL_VALUE)
    meter.switch(on=values[0] == on)


def _by_key(meter: Meter, relay: Mapping[str, Any], values: tuple[int, ...]) -> None:
    """A wrong key is acknowledged, and moves nothing."""
    if len(values) != 2:
        raise Illegal(ILLEGAL_VALUE)
    number = meter.seed
    if values[0] == ((number >> 24) + (number >> 8)) & 0x1234:
        _by_register(meter, relay, values[1:])


def _by_time(meter: Meter, relay: Mapping[str, Any], values: tuple[int, ...]) -> None:  # noqa: ARG001
    if len(values) != 2:
        raise Illegal(ILLEGAL_VALUE)
    meter.open_for((values[0] << 16) + values[1])


IDIOMS: Mapping[str, Idiom] = {
    "fc16_register": _by_register,
    "fc16_keyed": _by_key,
    "fc16_timed": _by_time,
}
"""How function 16 moves a relay, by the kind a profile calls it; `local` ones it does not."""
