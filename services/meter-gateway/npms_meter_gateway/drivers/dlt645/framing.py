"""DL/T 645-2007 frames, on whatever carries the bytes of a serial line.

The codec is the dlt645 package's. Its clients are not used: they take the first frame that comes,
from whichever meter, for the answer, and look for frames in noise. Here the answer begins with the
first byte that comes, wake-up bytes (FE) apart, or it is none.
"""

from dlt645.protocol.protocol import DLT645Protocol as Codec

from npms_meter_gateway.drivers.line.errors import BadAnswer
from npms_meter_gateway.drivers.line.framing import Frame, Unnumbered

START = 0x68
WAKE_UP = b"\xfe"
HEAD = 10
"""Start, six bytes of address, start, control code, length."""
TAIL = 2


class Dlt645(Unnumbered):
    """One request at a time; a unit is the meter's number of 12 digits."""

    def wrap(self, _transaction: int, unit: int, pdu: bytes) -> bytes:
        """`pdu` is the control code and the data, as they are before their encoding."""
        address = bytes.fromhex(f"{unit:012d}")[::-1]
        return bytes(Codec.build_frame(address, pdu[0], pdu[1:]))

    def first(self, data: bytes) -> Frame | None:
        """The answer that `data` begins with, None while bytes are missing; raises BadAnswer."""
        frame = data.lstrip(WAKE_UP)
        if frame and frame[0] != START:
            raise BadAnswer("no frame begins here", "wrong_start")
        if len(frame) < HEAD:
            return None
        size = HEAD + frame[HEAD - 1] + TAIL
        if frame[7] != START:
            raise BadAnswer("no second start", "wrong_start")
        if len(frame) < size:
            return None
        try:
            found = Codec.deserialize(frame[:size])
        except ValueError:
            raise BadAnswer("the checksum does not fit", "bad_checksum") from None
        assert found is not None
        pdu = bytes([found.ctrl_code]) + bytes(found.data)
        return 0, _unit_of(bytes(found.addr)), pdu, len(data) - len(frame) + size


def _unit_of(address: bytes) -> int:
    digits = address[::-1].hex()
    if not digits.isdigit():
        raise BadAnswer(f"address {digits}", "wrong_unit")
    return int(digits)
