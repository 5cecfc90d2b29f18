"""Whether the frames that prove a profile still mean what they should.

They go through the same encoding, answer checks and decoding as a meter's own.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from npms_meter_gateway.domain.decoding import decode, text_of
from npms_meter_gateway.domain.profile import GoldenFrame, Profile
from npms_meter_gateway.domain.relay import Table
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.commands import command
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.drivers.modbus.rtu import crc16

READ_TABLES: Mapping[int, Table] = {1: "coil", 3: "holding", 4: "input"}
SHORTEST = 4
"""Unit, function and CRC."""


def frame_faults(profile: Profile, frame: GoldenFrame) -> Iterator[str]:
    """What one frame says otherwise than its profile."""
    faulty = [*_framing(frame.request, "request"), *_framing(frame.response, "response")]
    yield from faulty
    if faulty:
        return
    if frame.request[0] != frame.response[0]:
        yield "another unit answers than was asked"
    check = _write_faults if frame.switches else _read_faults
    try:
        yield from check(profile, frame)
    except LinkFault as fault:
        yield f"response: {fault}"


def _framing(frame: bytes, name: str) -> Iterator[str]:
    if len(frame) < SHORTEST:
        yield f"{name}: too short for a frame"
    elif crc16(frame) != 0:
        yield f"{name}: wrong CRC"


def _write_faults(profile: Profile, frame: GoldenFrame) -> Iterator[str]:
    relay = profile.relay
    if relay is None or frame.switches is None:
        yield "switches: there is no relay"
        return
    if relay.kind == "fc16_keyed" and frame.serial_number is None:
        yield "serial_number: the key follows from it"
        return
    request = command(relay, frame.switches, frame.serial_number)
    if request.encode() != _pdu(frame.request):
        yield f"request: {request.encode().hex(' ')} switches {frame.switches}"
    request.decode(_pdu(frame.response))


def _read_faults(profile: Profile, frame: GoldenFrame) -> Iterator[str]:
    request = _read_of(_pdu(frame.request))
    if request is None:
        yield "request: neither a read nor named as a command"
        return
    words = request.decode(_pdu(frame.response))
    for name, expected in frame.values.items():
        yield from _value_faults(profile, request, words, name, expected)


def _read_of(pdu: bytes) -> Read | None:
    table = READ_TABLES.get(pdu[0])
    if table is None or len(pdu) != 5:
        return None
    return Read(table, int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"))


def _value_faults(
    profile: Profile, request: Read, words: tuple[int, ...], name: str, expected: str | None
) -> Iterator[str]:
    point = profile.points.get(name)
    if point is None:
        yield f"values.{name}: no such point"
        return
    start, end = point.address - request.address, point.end - request.address
    if point.table != request.table or start < 0 or end > request.count:
        yield f"values.{name}: not among what was read"
        return
    value = decode(point, words[start:end])
    if value != (None if expected is None else Fraction(expected)):
        found = "absent" if value is None else text_of(value)
        yield f"values.{name}: {found}, not {expected or 'absent'}"


def _pdu(frame: bytes) -> bytes:
    return frame[1:-2]
