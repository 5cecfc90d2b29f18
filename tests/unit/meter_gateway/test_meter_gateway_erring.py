"""Peers that err as cheap converters do: every request ends, and none with another's registers."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from tests.support.lines import Serve, asking, listening
from tests.support.wait import until

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway, Transport
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line import request_queue
from npms_meter_gateway.drivers.line.bus import Bus, LineOptions
from npms_meter_gateway.drivers.line.errors import (
    BadAnswer,
    LinkFault,
    NoAnswer,
    NotConnected,
    Overdue,
)
from npms_meter_gateway.drivers.modbus.framing import HEADER
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read, WriteRegisters
from npms_tools.bench_modbus.server import registers

READ = Read("holding", 10, 2)
OPEN_RELAY = WriteRegisters(0x1A, (0,))


async def all_of(bus: Bus, *reads: Read, unit: int = 1, timeout_s: float = 2.0) -> list[object]:
    """The registers of each, or its LinkFault."""
    return await asyncio.gather(
        *(bus.ask(unit, r, timeout_s=timeout_s, priority=Priority.BILLING) for r in reads),
        return_exceptions=True,
    )


@pytest.mark.parametrize("stays_s", [0.0, 0.1])
@pytest.mark.parametrize("transport", ["rtu_over_tcp", "modbus_tcp"])
async def test_an_address_that_accepts_and_closes_leaves_no_request_waiting(
    transport: Transport, stays_s: float
) -> None:
    """A converter whose one client is somebody else; a relay command is among those who wait."""
    accepted: list[float] = []
    loop = asyncio.get_running_loop()

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(loop.time())
        await asyncio.sleep(stays_s)
        writer.close()

    async with (
        listening(close) as port,
        asking(Gateway("127.0.0.1", port, transport, late_window_ms=300)) as bus,
    ):
        async with asyncio.timeout(5):
            faults = await asyncio.gather(
                bus.ask(1, OPEN_RELAY, timeout_s=1, priority=Priority.RELAY_WRITE),
                bus.ask(2, READ, timeout_s=1, priority=Priority.READ_BACK),
                bus.ask(3, READ, timeout_s=1, priority=Priority.BILLING),
                return_exceptions=True,
            )
        assert all(isinstance(fault, LinkFault) for fault in faults), faults
        assert len(accepted) <= 3
        if transport == "rtu_over_tcp":
            assert [type(fault) for fault in faults] == [NotConnected] * 3
            assert bus.is_down
            with pytest.raises(NotConnected, match="waiting to try again"):
                await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
            assert len(accepted) == 1


async def test_the_pause_grows_while_an_address_only_accepts_and_closes() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(close) as port:
        gateway = Gateway("127.0.0.1", port, "rtu_over_tcp", late_window_ms=50)
        policy = BreakerPolicy(trip_after=1, first_pause_s=0.01, longest_pause_s=60)
        bus = modbus_bus(gateway, LineOptions(reconnect=policy, jitter=lambda: 0.0))
        loop, pauses = asyncio.get_running_loop(), list[float]()
        while len(pauses) < 4:
            try:
                await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
            except NotConnected as fault:
                if "waiting" not in str(fault):
                    pauses.append(fault.until - loop.time())
                await asyncio.sleep(max(fault.until - loop.time(), 0))
        await bus.close()
    assert pauses[3] > 6 * pauses[0]


async def test_who_waits_for_a_turn_that_does_not_come_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_queue, "URGENT_WAITS_S", 0.1)
    monkeypatch.setattr(request_queue, "SWEEP_EVERY_S", 0.02)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(mute) as port, asking(Gateway("127.0.0.1", port)) as bus:
        first = asyncio.create_task(
            bus.ask(1, READ, timeout_s=30, priority=Priority.BILLING), name="holds the line"
        )

        async def is_asked() -> bool:
            return bus._connection is not None and bool(bus._connection.pending)

        await until(is_asked)
        async with asyncio.timeout(5):
            with pytest.raises(Overdue):
                await bus.ask(2, OPEN_RELAY, timeout_s=1, priority=Priority.RELAY_WRITE)
        assert not first.done()
        first.cancel()


def answer(transaction: int, unit: int, pdu: bytes) -> bytes:
    """What a meter whose register `a` reads `a` answers to a read over Modbus/TCP."""
    found = registers(*struct.unpack(">BHH", pdu))
    return HEADER.pack(transaction, 0, len(found) + 1, unit) + found


Asked = tuple[int, int, bytes]


async def next_asked(reader: asyncio.StreamReader) -> Asked:
    transaction, _, length, unit = HEADER.unpack(await reader.readexactly(HEADER.size))
    return transaction, unit, await reader.readexactly(length - 1)


def cutting(lost: int, *, apart: bool) -> Serve:
    """Of every three answers the first lacks its last bytes; the others follow, or come apart."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, *others = [await next_asked(reader) for _ in range(3)]
                writer.write(answer(*first)[:-lost])
                if apart:
                    await asyncio.sleep(0.01)
                writer.write(b"".join(answer(*other) for other in others))
        writer.close()

    return serve


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("lost", [*range(1, 16), 26])
async def test_an_answer_that_was_cut_short_borrows_nothing_of_the_next(
    lost: int,
    apart: bool,  # noqa: FBT001
) -> None:
    """13 bytes are a whole answer to the second request, 26 all that follows."""
    reads = Read("holding", 0x0100, 20), Read("holding", 0x0200, 2), Read("holding", 0x0300, 2)
    async with (
        listening(cutting(lost, apart=apart)) as port,
        asking(Gateway("127.0.0.1", port, depth=3)) as bus,
    ):
        found = await all_of(bus, *reads, timeout_s=0.2)
    for read, words in zip(reads, found, strict=True):
        right = tuple(range(read.address, read.address + read.count))
        assert isinstance(words, LinkFault) or words == right
    assert isinstance(found[0], LinkFault)


async def test_registers_that_look_like_a_header_are_still_registers() -> None:
    """Zeros, and numbers as large as the transactions in flight, are what meters show all day."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = [await next_asked(reader) for _ in range(2)]
                words = struct.pack(">HHHH", asked[1][0], 0, 5, 0)
                for transaction, unit, _ in asked:
                    pdu = bytes([3, len(words)]) + words
                    writer.write(HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu)
        writer.close()

    async with listening(serve) as port, asking(Gateway("127.0.0.1", port, depth=2)) as bus:
        found = await all_of(bus, *[Read("holding", 0, 4)] * 2)
    assert all(isinstance(words, tuple) and words[1:] == (0, 5, 0) for words in found)


@dataclass
class SlowGateway:
    """Works its requests one after the other and answers whoever is connected by then; `slow` is a
    unit that takes longer than anybody waits.
    """

    slow: int
    takes_s: float
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    asked: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.asked.put_nowait(await next_asked(reader))
        writer.close()

    async def work(self) -> None:
        while True:
            transaction, unit, pdu = await self.asked.get()
            await asyncio.sleep(self.takes_s if unit == self.slow else 0.002)
            self.writers[-1].write(answer(transaction, unit, pdu))


async def test_late_answers_on_the_next_connection_take_no_other_meter_away() -> None:
    gateway = SlowGateway(slow=9, takes_s=0.25)
    working = asyncio.create_task(gateway.work())
    async with listening(gateway.serve) as port, asking(Gateway("127.0.0.1", port)) as bus:
        for turn in range(3):
            with pytest.raises(NoAnswer):
                await bus.ask(9, READ, timeout_s=0.15, priority=Priority.BILLING)
            for unit in range(1, 6):
                read = Read("holding", 100 * turn + unit, 2)
                words = await bus.ask(unit, read, timeout_s=0.3, priority=Priority.BILLING)
                assert words == (read.address, read.address + 1)
        assert bus.counts.take().faults == {"no_answer": 3}
    working.cancel()
    assert len(gateway.writers) == 4, "a connection after each silence, and no more"


@asynccontextmanager
async def pymodbus_meter(framer: FramerType) -> AsyncIterator[int]:
    """Register `a` reads `a`."""
    words = SimData(0, values=list(range(200)), datatype=DataType.REGISTERS)
    device = SimDevice(1, simdata=words)
    server = ModbusTcpServer(device, address=("127.0.0.1", 0), framer=framer)
    await server.serve_forever(background=True)
    try:
        assert server.transport is not None
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


class Repeater:
    """A converter in threads of its own, which sends each answer again, some ms after it.

    `slowest_s` is the longest time that it really took: a busy machine may make it longer than any
    pause.
    """

    def __init__(self, target: int, after_s: Sequence[float]) -> None:
        self._target, self._after_s = target, after_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.slowest_s = 0.0

    def run(self) -> None:
        """Serve one client until it hangs up."""
        client, _ = self._listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        meter = socket.create_connection(("127.0.0.1", self._target))
        with self._listening, client, meter:
            back = threading.Thread(target=self._repeat, args=(meter, client))
            back.start()
            while data := client.recv(256):
                meter.sendall(data)
            meter.shutdown(socket.SHUT_RDWR)
            back.join()

    def _repeat(self, meter: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := meter.recv(256):
                client.sendall(data)
                for pause_s in self._after_s:
                    sent_at = time.monotonic()
                    time.sleep(pause_s)
                    client.sendall(data)
                    self.slowest_s = max(self.slowest_s, time.monotonic() - sent_at)


async def read_through(repeater: Repeater) -> list[object]:
    """Eight other registers one after the other, with what a gateway is set to by default."""
    serving = asyncio.create_task(asyncio.to_thread(repeater.run))
    async with asking(
        Gateway("127.0.0.1", repeater.port, "rtu_over_tcp", late_window_ms=50)
    ) as bus:
        found = [(await all_of(bus, Read("holding", at, 2)))[0] for at in range(0, 64, 8)]
    await serving
    return found


@pytest.mark.parametrize("after_s", [[0.001], [0.003], [0.006], [0.004] * 4])
async def test_rtu_answers_that_are_repeated_meet_no_other_request(after_s: list[float]) -> None:
    """The meter is pymodbus'. Where the machine held a repetition up for longer than any pause, the
    run proves nothing; where it held us up, an answer may be refused, but none is another's.
    """
    right = [(address, address + 1) for address in range(0, 64, 8)]
    async with pymodbus_meter(FramerType.RTU) as port:
        for _ in range(100):
            repeater = Repeater(port, after_s)
            found = await read_through(repeater)
            if found == right:
                return
            if repeater.slowest_s < 0.009:
                believed = [pair for pair in zip(found, right, strict=True) if pair[0] != pair[1]]
                assert all(isinstance(one, (BadAnswer, NotConnected)) for one, _ in believed), (
                    believed
                )
    pytest.skip("the machine is too busy to repeat an answer in 9 ms")
