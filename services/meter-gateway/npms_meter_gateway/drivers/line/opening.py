"""How a gateway becomes a connection: a TCP address or a serial device."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from pymodbus.transport.serialtransport import SerialTransport

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.line.address_check import AddressCheck
from npms_meter_gateway.drivers.line.connection import Connection
from npms_meter_gateway.drivers.line.errors import NotConnected


async def connect(
    gateway: Gateway, make: Callable[[], Connection], timeout_s: float, addresses: AddressCheck
) -> Connection:
    """Raises NotConnected when the address does not answer in time, the device is not there, or
    they are not to be opened (NotAllowed).
    """
    connection = make()
    try:
        async with asyncio.timeout(timeout_s):
            if gateway.transport == "serial":
                await _open_device(gateway, connection, addresses)
            else:
                await _open_address(gateway, connection, addresses)
    except (OSError, TimeoutError, ValueError) as fault:  # a host name or a speed may be none
        raise NotConnected(f"{gateway.name}: {fault or 'no answer'}") from None
    return connection


async def _open_address(gateway: Gateway, connection: Connection, addresses: AddressCheck) -> None:
    loop = asyncio.get_running_loop()
    fault: OSError | None = None
    async for ip in addresses.addresses(gateway):
        try:
            await loop.create_connection(lambda: connection, ip, gateway.port)
        except OSError as refused:
            fault = refused
        else:
            return
    assert fault is not None
    raise fault


async def _open_device(gateway: Gateway, connection: Connection, addresses: AddressCheck) -> None:
    """In a thread: the system may take its time to open a device, or never come back."""
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[SerialTransport] = loop.create_future()

    def done(transport: SerialTransport | None, fault: Exception | None) -> None:
        if opened.done():  # nobody waits any more
            if transport is not None:
                transport.abort()
        elif fault is not None:
            opened.set_exception(fault)
        elif transport is not None:
            opened.set_result(transport)

    def work() -> None:
        transport = failed = None
        try:
            transport = _device(gateway, connection, addresses, loop)
        except Exception as fault:  # noqa: BLE001 - told to who waits
            failed = fault
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done, transport, failed)

    Thread(target=work, name=f"open {gateway.name}", daemon=True).start()
    (await opened).setup()
    await connection.made


def _device(
    gateway: Gateway,
    connection: Connection,
    addresses: AddressCheck,
    loop: asyncio.AbstractEventLoop,
) -> SerialTransport:
    """Not by the name as it was given: pyserial takes one with :// in it for an order."""
    return SerialTransport(
        loop,
        connection,
        addresses.device(gateway.device),
        baudrate=gateway.baud,
        bytesize=8,
        parity=gateway.parity,
        stopbits=1,
        timeout=0,
    )
