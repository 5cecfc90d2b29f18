"""By what number a meter is called on its line."""

from npms_meter_gateway.domain.profile import DriverName

DLT645_DIGITS = 12


def line_address(driver: DriverName, *, serial: str, unit_id: int) -> int:
    """The unit id, or for DL/T 645 the meter's own number of up to 12 digits; else ValueError."""
    if driver == "modbus":
        return unit_id
    if not (serial.isascii() and serial.isdigit() and len(serial) <= DLT645_DIGITS):
        raise ValueError(f"{serial!r} is no DL/T 645 address: up to {DLT645_DIGITS} digits")
    return int(serial)
