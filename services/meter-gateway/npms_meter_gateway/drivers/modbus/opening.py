"""How a gateway becomes a connection: a TCP address or a serial device, and its framing."""

import asyncio
from collections.abc import Callable

from pymodbus.transport.serialtransport import create_serial_connection

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.errors import NotConnected
from npms_meter_gateway.drivers.modbus.connection import Connection
from npms_meter_gateway.drivers.modbus.framing import Framing, Mbap
from npms_meter_gateway.drivers.modbus.rtu import Rtu


def framing_of(gateway: Gateway) -> Framing:
    """Modbus/TCP's own, or RTU on whatever carries its bytes."""
    return Mbap() if gateway.transport == "modbus_tcp" else Rtu()


async def connect(gateway: Gateway, make: Callable[[], Connection], timeout_s: float) -> Connection:
    """Raises NotConnected when the address does not answer in time or the device is not there."""
    connection = make()
    try:
        async with asyncio.timeout(timeout_s):
            if gateway.transport == "serial":
                await _open_device(gateway, connection)
            else:
                await _open_address(gateway, connection)
    except (OSError, TimeoutError, ValueError) as fault:  # a host name or a speed may be none
        raise NotConnected(f"{gateway.name}: {fault or 'no answer'}") from None
    return connection


async def _open_address(gateway: Gateway, connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, gateway.host, gateway.port)


async def _open_device(gateway: Gateway, connection: Connection) -> None:
    await create_serial_connection(
        asyncio.get_running_loop(),
        lambda: connection,
        gateway.device,
        baudrate=gateway.baud,
        bytesize=8,
        parity=gateway.parity,
        stopbits=1,
        timeout=0,
    )
    await connection.made
