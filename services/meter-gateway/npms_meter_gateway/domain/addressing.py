"""By what number a meter is called on its line."""

import re
from collections.abc import Mapping

from npms_meter_gateway.domain.profile import DriverName

DLT645_DIGITS = 12
SERIAL_PATTERNS: Mapping[DriverName, str] = {"modbus": "", "dlt645": f"[0-9]{{1,{DLT645_DIGITS}}}"}
"""What serials a protocol can call; empty for any."""


def line_address(driver: DriverName, *, serial: str, unit_id: int) -> int:
    """The unit id, or for DL/T 645 the meter's own number of up to 12 digits; else ValueError."""
    if driver == "modbus":
        return unit_id
    if not re.fullmatch(SERIAL_PATTERNS[driver], serial):
        raise ValueError(f"{serial!r} is no DL/T 645 address: up to {DLT645_DIGITS} digits")
    return int(serial)
