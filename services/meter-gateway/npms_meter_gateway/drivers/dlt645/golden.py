"""Whether the frames that prove a profile of DL/T 645 still mean what they should.

Only reads: a command has its sender's password and the time of its end in it.
"""

from collections.abc import Iterator
from fractions import Fraction

from npms_meter_gateway.domain.bcd import decode_bcd
from npms_meter_gateway.domain.profile import GoldenFrame, Profile
from npms_meter_gateway.drivers.dlt645.framing import Dlt645
from npms_meter_gateway.drivers.dlt645.pdus import ReadData
from npms_meter_gateway.drivers.line.errors import LinkFault


def frame_faults(profile: Profile, frame: GoldenFrame) -> Iterator[str]:
    """What one frame says otherwise than its profile."""
    framing = Dlt645()
    try:
        answer = framing.first(frame.response)
        if answer is None:
            yield "response: not a whole frame"
            return
        _, unit, pdu, _ = answer
        for name, expected in frame.values.items():
            point = profile.points[name]
            request = ReadData(point.address, point.type.octets)
            if framing.wrap(0, unit, request.encode()).lstrip(b"\xfe") != frame.request:
                yield f"request: does not ask for {name}"
            value = decode_bcd(point, request.decode(pdu)[0])
            if value != (None if expected is None else Fraction(expected)):
                yield f"values.{name}: {value}, not {expected}"
    except LinkFault as fault:
        yield f"response: {fault}"
