"""A gateway's line in the frames of Modbus."""

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.line.bus import Bus, LineOptions
from npms_meter_gateway.drivers.line.framing import Framing
from npms_meter_gateway.drivers.modbus.framing import Mbap
from npms_meter_gateway.drivers.modbus.rtu import Rtu


def framing_of(gateway: Gateway) -> Framing:
    """Modbus/TCP's own, or RTU on whatever carries its bytes."""
    return Mbap() if gateway.transport == "modbus_tcp" else Rtu()


def modbus_bus(gateway: Gateway, options: LineOptions | None = None) -> Bus:
    """The line behind an address; nothing is opened before the first request."""
    return Bus(gateway, framing_of(gateway), options)
