"""Exceptions of Modbus."""

from npms_meter_gateway.drivers.line.errors import Refused

REGISTER_CODES = frozenset({1, 2, 3})
BUSY_CODES = frozenset({6})
"""Not 5: the meter has taken that request and still works on it, so it must not come twice."""
UNIT_CODES = frozenset({0x0A, 0x0B})


class ModbusRefused(Refused):
    """The meter, or the gateway for it, answered with a Modbus exception."""

    def __init__(self, code: int) -> None:
        super().__init__(code, f"Modbus exception {code:#04x}")

    @property
    def is_about_registers(self) -> bool:
        return self.code in REGISTER_CODES

    @property
    def is_busy(self) -> bool:
        return self.code in BUSY_CODES

    @property
    def is_about_unit(self) -> bool:
        return self.code in UNIT_CODES
