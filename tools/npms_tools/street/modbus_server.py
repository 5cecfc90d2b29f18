"""One gateway address: a Modbus/TCP socket with several meters behind it."""

import asyncio
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

from npms_tools.street.meter import Meter

HEADER = struct.Struct(">HHHB")
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_TARGET = 1, 2, 3, 0x0B
READS = {1: "coil", 3: "holding", 4: "input"}


class _Exception(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GatewaySocket:
    """Answers for its units in turn, as a serial line behind a converter does."""

    def __init__(self, meters: Mapping[int, Meter], now_ms: Callable[[], int]) -> None:
        self.meters, self._now_ms = meters, now_ms
        self._line = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system chose if 0 was asked for."""
        self._server = await asyncio.start_server(self._serve, host, port)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Stop listening and drop who is connected."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        with suppress(OSError):
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(HEADER.size)
                transaction, _, length, unit = HEADER.unpack(head)
                pdu = await reader.readexactly(length - 1)
                async with self._line:
                    frame = await self._answer(transaction, unit, pdu)
                if frame is None:
                    break
                writer.write(frame)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        """The frame to send: empty for silence, None to hang up."""
        meter = self.meters.get(unit)
        if meter is None:
            return _frame(transaction, unit, bytes([pdu[0] | 0x80, NO_TARGET]))
        faults = meter.faults
        if faults.take("close"):
            return None
        if faults.take("silent"):
            return b""
        answer = self._execute(meter, pdu)
        if pdu[0] in {5, 6, 15, 16} and faults.take("drop_ack"):
            return b""
        if faults.take("late"):
            await asyncio.sleep(faults.late_ms / 1000)
        if faults.take("short"):
            answer = _shortened(answer)
        if faults.take("wrong_transaction"):
            transaction ^= 1
        return _frame(transaction, unit + 1 if faults.take("wrong_unit") else unit, answer)

    def _execute(self, meter: Meter, pdu: bytes) -> bytes:
        meter.advance(self._now_ms())
        try:
            if meter.faults.take("exception"):
                raise _Exception(meter.faults.exception_code)
            return execute(meter, pdu)
        except _Exception as fault:
            return bytes([pdu[0] | 0x80, fault.code])


def execute(meter: Meter, pdu: bytes) -> bytes:
    """The answer of a meter to a request."""
    function = pdu[0]
    if function in READS:
        return _read(meter, function, pdu)
    if function == 5:
        return _force_coil(meter, pdu)
    if function == 16:
        return _write_registers(meter, pdu)
    raise _Exception(ILLEGAL_FUNCTION)


def _read(meter: Meter, function: int, pdu: bytes) -> bytes:
    address, count = struct.unpack(">HH", pdu[1:5])
    table = meter.tables()[READS[function]]
    if not table:
        raise _Exception(ILLEGAL_FUNCTION)
    if not 1 <= count <= (2000 if function == 1 else 125):
        raise _Exception(ILLEGAL_VALUE)
    if meter.map.even and function != 1 and (address % 2 or count % 2):
        raise _Exception(ILLEGAL_ADDRESS)
    if address + count > max(table) + 1:
        raise _Exception(ILLEGAL_ADDRESS)
    values = [table.get(at, 0) for at in range(address, address + count)]
    data = _bits(values) if function == 1 else struct.pack(f">{count}H", *values)
    return bytes([function, len(data)]) + data


def _bits(values: list[int]) -> bytes:
    packed = sum(bit << position for position, bit in enumerate(values))
    return packed.to_bytes((len(values) + 7) // 8, "little")


def _force_coil(meter: Meter, pdu: bytes) -> bytes:
    address, value = struct.unpack(">HH", pdu[1:5])
    relay = meter.map.relay
    if relay is None or relay["kind"] != "fc5_coil" or address != relay.get("address", 0):
        raise _Exception(ILLEGAL_ADDRESS)
    if value not in {0, 0xFF00}:
        raise _Exception(ILLEGAL_VALUE)
    meter.switch(on=value == 0xFF00)
    return pdu


def _write_registers(meter: Meter, pdu: bytes) -> bytes:
    address, count, size = struct.unpack(">HHB", pdu[1:6])
    relay, limit = meter.map.relay, meter.map.load_limit
    values = struct.unpack(f">{count}H", pdu[6:]) if len(pdu) - 6 == size == 2 * count else ()
    if limit is not None and address == limit["address"]:
        if len(values) != 1:
            raise _Exception(ILLEGAL_VALUE)
        meter.limit_w = meter.map.limit_of(values[0])
        return pdu[:5]
    if relay is None or relay["kind"] != "fc16_register" or address != relay["address"]:
        raise _Exception(ILLEGAL_ADDRESS)
    if len(values) != 1 or values[0] not in {relay["value_on"], relay["value_off"]}:
        raise _Exception(ILLEGAL_VALUE)
    meter.switch(on=values[0] == relay["value_on"])
    return pdu[:5]


def _shortened(answer: bytes) -> bytes:
    """One register less than was asked for, and a byte count that admits it."""
    if answer[0] not in {3, 4} or len(answer) < 6:
        return answer
    return bytes([answer[0], answer[1] - 2]) + answer[2:-2]


def _frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu
