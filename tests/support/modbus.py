"""Asking one Modbus address from a test, without a queue's priorities."""

import asyncio

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.line.address_check import AddressCheck
from npms_meter_gateway.drivers.line.connection import Connection, Exchange, Words
from npms_meter_gateway.drivers.line.opening import connect
from npms_meter_gateway.drivers.modbus.line import framing_of
from npms_meter_gateway.drivers.modbus.pdus import Request


class Asker:
    """A single connection; what it cannot use closes it, and it is not opened again."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transaction = 0

    @classmethod
    async def open(cls, host: str, port: int, **gateway: object) -> "Asker":
        address = Gateway(host, port, **gateway)  # type: ignore[arg-type]
        framing = framing_of(address)
        return cls(
            await connect(address, lambda: Connection(framing, Exchange.settle), 2, AddressCheck())
        )

    @property
    def is_usable(self) -> bool:
        return not self.connection.is_tainted

    async def ask(self, unit: int, request: Request, *, timeout_s: float) -> Words:
        """The answer; raises the LinkFault."""
        self._transaction += 1
        answer: asyncio.Future[Words] = asyncio.get_running_loop().create_future()
        exchange = Exchange(unit, request, timeout_s, 0, answer)
        self.connection.send(self._transaction, exchange, self.connection.loop.time())
        try:
            return await answer
        finally:
            if self.connection.is_tainted:
                self.close()

    def close(self) -> None:
        self.connection.close()
