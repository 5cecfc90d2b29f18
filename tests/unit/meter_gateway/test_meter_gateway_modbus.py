"""The Modbus client against scripted peers, and against pymodbus as a second opinion."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import DecodePDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from tests.support.lines import asking, listening
from tests.support.modbus import Asker
from tests.support.proxy import Manner, Proxy, delayed, split_at
from tests.support.wait import until
from typer.testing import CliRunner

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import BUSY_PAUSE_S, BUSY_RETRIES, LineOptions
from npms_meter_gateway.drivers.line.errors import (
    BadAnswer,
    LinkFault,
    NoAnswer,
    NotConnected,
    PeerClosed,
    Refused,
)
from npms_meter_gateway.drivers.line.line_counts import LineCounts
from npms_meter_gateway.drivers.modbus.depth import probe_depth
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read, Request, WriteCoil, WriteRegisters
from npms_operations.meter.cli import app as meter_commands

Frame = tuple[int, int, bytes]
Script = Callable[[int, int, bytes], Sequence[bytes] | None]
"""(transaction, unit, pdu) → the chunks to send, or None to hang up."""


def frame(transaction: int, unit: int, pdu: bytes, *, protocol: int = 0, grow: int = 0) -> bytes:
    return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1 + grow, unit) + pdu


@asynccontextmanager
async def peer(script: Script) -> AsyncIterator[tuple[int, list[Frame]]]:
    """A scripted Modbus/TCP server; yields its port and what it was asked."""
    asked: list[Frame] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                pdu = await reader.readexactly(length - 1)
                asked.append((transaction, unit, pdu))
                chunks = script(transaction, unit, pdu)
                if chunks is None:
                    break
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with listening(serve) as port:
        yield port, asked


REGISTERS = bytes([3, 4]) + struct.pack(">HH", 0x1234, 0x5678)
READ = Read("holding", 10, 2)
WRITE = WriteRegisters(0x1A, (0,))


async def ask(port: int, request: Request = READ, timeout_s: float = 0.1) -> tuple[int, ...]:
    connection = await Asker.open("127.0.0.1", port)
    try:
        return await connection.ask(7, request, timeout_s=timeout_s)
    finally:
        connection.close()


async def test_reads_registers() -> None:
    async with peer(lambda t, u, _: [frame(t, u, REGISTERS)]) as (port, asked):
        assert await ask(port) == (0x1234, 0x5678)
        assert asked[0][1:] == (7, bytes.fromhex("03000a0002"))


@pytest.mark.parametrize("cut", range(1, 13))
async def test_t5_an_answer_may_come_in_pieces(cut: int) -> None:
    def script(t: int, u: int, _: bytes) -> list[bytes]:
        whole = frame(t, u, REGISTERS)
        return [whole[:cut], whole[cut:]]

    async with peer(script) as (port, _):
        assert await ask(port, timeout_s=2) == (0x1234, 0x5678)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda t, u: frame(t ^ 1, u, REGISTERS), "wrong_transaction"),
        (lambda _, u: frame(0, u, REGISTERS), "wrong_transaction"),
        (lambda t, u: frame(t, u + 1, REGISTERS), "wrong_unit"),
        (lambda t, u: frame(t, u, REGISTERS, protocol=1), "wrong_protocol"),
        (lambda t, u: frame(t, u, REGISTERS, grow=300), "wrong_length"),
        (lambda t, u: struct.pack(">HHHB", t, 0, 1, u), "wrong_length"),
        (lambda t, u: frame(t, u, bytes([4]) + REGISTERS[1:]), "wrong_function"),
        (lambda t, u: frame(t, u, bytes([3, 2, 0x12, 0x34])), "wrong_count"),
        (lambda t, u: frame(t, u, bytes([3, 6]) + bytes(6)), "wrong_count"),
        (lambda t, u: frame(t, u, bytes([3, 2]) + bytes(4)), "wrong_count"),
        (lambda t, u: frame(t, u, bytes([0x83])), "wrong_length"),
        (lambda t, u: frame(t, u, REGISTERS) + b"\0", "surplus"),
        (lambda t, u: frame(t, u, REGISTERS) * 2, "surplus"),
        (lambda _t, _u: b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong_protocol"),
    ],
)
async def test_t4_what_does_not_fit_is_counted_by_cause_and_never_decoded(
    answer: Callable[[int, int], bytes], cause: str
) -> None:
    answers = [answer, lambda t, u: frame(t, u, REGISTERS)]
    async with (
        peer(lambda t, u, _: [answers.pop(0)(t, u)]) as (port, _),
        asking(Gateway("127.0.0.1", port)) as bus,
    ):
        with pytest.raises(BadAnswer):
            await bus.ask(7, READ, timeout_s=2, priority=Priority.BILLING)
        assert bus.counts.take().faults == {cause: 1}
        again = await bus.ask(7, READ, timeout_s=2, priority=Priority.BILLING)
        assert again == (0x1234, 0x5678), "on a new connection"


async def test_silence_ends_the_connection() -> None:
    async with peer(lambda _t, _u, _p: []) as (port, _):
        connection = await Asker.open("127.0.0.1", port)
        with pytest.raises(NoAnswer):
            await connection.ask(7, READ, timeout_s=0.05)
        assert not connection.is_usable


async def test_a_peer_that_hangs_up_is_noticed_at_once() -> None:
    async with peer(lambda _t, _u, _p: None) as (port, _):
        async with asyncio.timeout(1):
            with pytest.raises(PeerClosed):
                await ask(port, timeout_s=30)


async def test_exceptions_keep_the_connection() -> None:
    async with peer(lambda t, u, p: [frame(t, u, bytes([p[0] | 0x80, 2]))]) as (port, _):
        connection = await Asker.open("127.0.0.1", port)
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                await connection.ask(7, READ, timeout_s=1)
            assert caught.value.is_about_registers
        connection.close()


async def test_a_write_must_be_acknowledged_for_what_it_was() -> None:
    async with peer(lambda t, u, _: [frame(t, u, bytes.fromhex("10001a0001"))]) as (port, _):
        assert await ask(port, WriteRegisters(0x1A, (0,))) == ()
        with pytest.raises(BadAnswer):
            await ask(port, WriteRegisters(0x1B, (0,)))
        with pytest.raises(BadAnswer):
            await ask(port, WriteCoil(0, is_on=True))


@given(st.integers(0, 0xFFFF), st.integers(1, 125), st.sampled_from(["holding", "input"]))
def test_requests_read_back_in_pymodbus(address: int, count: int, table: str) -> None:
    pdu = DecodePDU(is_server=True).decode(Read(table, address, count).encode())  # type: ignore[arg-type]
    assert pdu is not None
    assert (pdu.address, pdu.count) == (address, count)


async def test_a_pymodbus_server_gives_the_same_registers() -> None:
    coils = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]
    words = [SimData(10, values=[0x1234, 0x5678, 1], datatype=DataType.REGISTERS)]
    device = SimDevice(7, (coils, coils, words, words))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        assert server.transport is not None
        port = server.transport.sockets[0].getsockname()[1]
        assert await ask(port, timeout_s=2) == (0x1234, 0x5678)
        assert await ask(port, WriteRegisters(12, (0xBEEF,)), timeout_s=2) == ()
        assert await ask(port, Read("holding", 12, 1), timeout_s=2) == (0xBEEF,)
        with pytest.raises(Refused):
            await ask(port, Read("holding", 4000, 1), timeout_s=2)
    finally:
        await server.shutdown()


async def test_urgent_requests_go_first() -> None:
    async with peer(lambda t, u, _: [frame(t, u, REGISTERS)]) as (port, asked):
        bus = modbus_bus(Gateway("127.0.0.1", port))
        order = [Priority.BILLING, Priority.BILLING, Priority.ON_DEMAND, Priority.READ_BACK]
        await asyncio.gather(
            *(bus.ask(unit, READ, timeout_s=1, priority=p) for unit, p in enumerate(order, 1))
        )
        await bus.close()
    assert [unit for _, unit, _ in asked] == [4, 3, 1, 2]


async def test_t6_a_busy_meter_is_asked_again_and_others_meanwhile() -> None:
    answers = {1: [bytes([0x83, 6]), REGISTERS], 2: [REGISTERS]}
    loop = asyncio.get_running_loop()
    async with peer(lambda t, u, _: [frame(t, u, answers[u].pop(0))]) as (port, asked):
        async with asking(Gateway("127.0.0.1", port)) as bus:
            began = loop.time()
            both = [bus.ask(u, READ, timeout_s=1, priority=Priority.BILLING) for u in (1, 2)]
            assert await asyncio.gather(*both) == [(0x1234, 0x5678)] * 2
            assert loop.time() - began >= BUSY_PAUSE_S * 0.9
    assert [unit for _, unit, _ in asked] == [1, 2, 1]


async def test_t6_a_meter_that_stays_busy_is_given_up() -> None:
    async with peer(lambda t, u, _: [frame(t, u, bytes([0x83, 6]))]) as (port, asked):
        async with asking(Gateway("127.0.0.1", port)) as bus:
            with pytest.raises(Refused, match="0x06"):
                await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
    assert len(asked) == 1 + BUSY_RETRIES


async def test_t6_a_write_that_is_being_worked_on_is_not_sent_again() -> None:
    async with peer(lambda t, u, p: [frame(t, u, bytes([p[0] | 0x80, 5]))]) as (port, asked):
        async with asking(Gateway("127.0.0.1", port)) as bus:
            with pytest.raises(Refused, match="0x05"):
                await bus.ask(1, WRITE, timeout_s=1, priority=Priority.RELAY_WRITE)
    assert len(asked) == 1


@pytest.mark.parametrize("code", [0x0A, 0x0B])
async def test_t6_a_unit_that_the_gateway_cannot_reach_is_no_fault_of_the_gateway(
    code: int,
) -> None:
    answers = {1: bytes([0x83, code]), 2: REGISTERS}
    async with (
        peer(lambda t, u, _: [frame(t, u, answers[u])]) as (port, asked),
        asking(Gateway("127.0.0.1", port)) as bus,
    ):
        with pytest.raises(Refused) as caught:
            await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
        assert caught.value.is_about_unit
        assert not bus.is_down
        assert await bus.ask(2, READ, timeout_s=1, priority=Priority.BILLING) == (0x1234, 0x5678)
    assert asked[1][0] == asked[0][0] % 0xFFFF + 1, "on the same connection"


@pytest.mark.parametrize("request_", [READ, WRITE])
async def test_t7_who_asked_is_told_at_once_of_a_reset_and_nothing_is_sent_again(
    request_: Request,
) -> None:
    answers: list[list[bytes]] = [[], [REGISTERS]]
    async with peer(lambda t, u, _: [frame(t, u, p) for p in answers.pop(0)]) as (port, asked):
        proxy = await Proxy("127.0.0.1", port).start()
        loop = asyncio.get_running_loop()
        async with asking(Gateway("127.0.0.1", proxy.port)) as bus:
            request_task = asyncio.create_task(
                bus.ask(1, request_, timeout_s=30, priority=Priority.RELAY_WRITE)
            )

            async def reached() -> bool:
                return len(asked) == 1

            await until(reached)
            reset_at = loop.time()
            proxy.reset()
            with pytest.raises(PeerClosed):
                await request_task
            assert loop.time() - reset_at < 0.1
            assert len(asked) == 1, "a write whose fate is unknown is read back, not repeated"
            back = await bus.ask(1, READ, timeout_s=2, priority=Priority.READ_BACK)
            assert back == (0x1234, 0x5678)
        await proxy.stop()
    assert [pdu for _, _, pdu in asked] == [request_.encode(), READ.encode()]


@pytest.mark.parametrize("manner", [*(split_at(n) for n in range(1, 13)), delayed(0.05)])
async def test_t5_what_a_slow_network_cuts_is_put_together(manner: Manner) -> None:
    async with peer(lambda t, u, _: [frame(t, u, REGISTERS)]) as (port, _):
        proxy = await Proxy("127.0.0.1", port).start()
        proxy.manner = manner
        async with asking(Gateway("127.0.0.1", proxy.port)) as bus:
            for _ in range(2):
                answer = await bus.ask(1, READ, timeout_s=2, priority=Priority.BILLING)
                assert answer == (0x1234, 0x5678)
        await proxy.stop()


async def test_t8_what_comes_before_the_first_request_is_dropped() -> None:
    """A serial server may send what was left over to whoever connects next."""
    left_over = frame(1, 7, bytes([3, 4, 0xDE, 0xAD, 0xDE, 0xAD]))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(left_over)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(7)
                await reader.readexactly(5)
                writer.write(frame(int.from_bytes(head[:2], "big"), head[6], REGISTERS))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = await Asker.open("127.0.0.1", server.sockets[0].getsockname()[1])

    async def arrived() -> bool:
        return connection.connection.stray_bytes == len(left_over)

    await until(arrived)
    assert await connection.ask(7, READ, timeout_s=2) == (0x1234, 0x5678)
    connection.close()
    server.close()


@asynccontextmanager
async def gateway_answering(
    answer: Callable[[list[Frame]], list[Frame]],
) -> AsyncIterator[tuple[Gateway, list[int]]]:
    """Answers what it finds in a segment as told; yields how many requests each segment had."""
    segments: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                found = [data[at : at + 12] for at in range(0, len(data), 12)]
                segments.append(len(found))
                frames = [(int.from_bytes(f[:2], "big"), f[6], f[7:]) for f in found]
                for transaction, unit, pdu in answer(frames):
                    body = bytes([3, 2 * pdu[4]]) + pdu[1:3] * pdu[4]
                    writer.write(frame(transaction, unit, body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Gateway("127.0.0.1", server.sockets[0].getsockname()[1]), segments
    finally:
        server.close()


async def test_t10_several_in_flight_are_matched_by_transaction() -> None:
    """Eight are answered last first, each with its own registers; none gets another's."""
    async with gateway_answering(lambda frames: frames[::-1]) as (gateway, segments):
        async with asking(Gateway("127.0.0.1", gateway.port, depth=8)) as bus:
            answers = await asyncio.gather(
                *(
                    bus.ask(1, Read("holding", n, 2), timeout_s=2, priority=Priority.BILLING)
                    for n in range(40)
                )
            )
            assert answers == [(n, n) for n in range(40)]
        assert max(segments) > 1
        assert await probe_depth(gateway, 1, READ) == 8


@pytest.mark.parametrize(("bears", "depth"), [(1, 1), (3, 2), (4, 4)])
async def test_t10_a_gateway_that_cannot_is_found_when_it_is_taken_into_use(
    bears: int, depth: int
) -> None:
    async with gateway_answering(lambda frames: frames[:bears]) as (gateway, _):
        assert await probe_depth(gateway, 1, READ, timeout_s=0.1) == depth


@pytest.mark.parametrize(("bears", "said"), [(1, "one at a time"), (8, "8 at once")])
async def test_t10_the_command_line_says_what_a_gateway_bears(bears: int, said: str) -> None:
    async with gateway_answering(lambda frames: frames[:bears]) as (gateway, _):
        asked = ["depth", gateway.host, "1", "--port", str(gateway.port), "--table", "holding"]
        result = await asyncio.to_thread(CliRunner().invoke, meter_commands, asked)
    assert result.output.strip() == said


async def test_t10_without_pipelining_one_request_is_sent_at_a_time() -> None:
    async with gateway_answering(lambda frames: frames[:1]) as (gateway, segments):
        async with asking(Gateway("127.0.0.1", gateway.port)) as bus:
            asked = (bus.ask(u, READ, timeout_s=2, priority=Priority.BILLING) for u in range(1, 9))
            await asyncio.gather(*asked)
    assert segments == [1] * 8


async def test_t10_a_late_answer_among_several_fails_only_its_own_request() -> None:
    async with gateway_answering(lambda f: [x for x in f if x[1] != 3]) as (gateway, _):
        async with asking(Gateway("127.0.0.1", gateway.port, depth=4)) as bus:
            asked = (bus.ask(u, READ, timeout_s=0.5, priority=Priority.BILLING) for u in range(8))
            answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, NoAnswer)] == [3]
    assert all(answer == (10, 10) for n, answer in enumerate(answers) if n != 3)


async def test_a_bus_keeps_a_tally_of_its_requests() -> None:
    answers = [[REGISTERS], [bytes([0x83, 2])], []]
    async with peer(lambda t, u, _: [frame(t, u, p) for p in answers.pop(0)]) as (port, _):
        bus = modbus_bus(Gateway("127.0.0.1", port))
        for _ in range(3):
            with suppress(LinkFault):
                await bus.ask(1, READ, timeout_s=0.05, priority=Priority.BILLING)
        await bus.close()
    taken = bus.counts.take()
    assert (taken.asked, taken.answered, taken.faults) == (3, 1, {"refused": 1, "no_answer": 1})
    assert 0.05 <= taken.busy_s < 5
    assert bus.counts.take() == LineCounts()


async def test_a_bus_reconnects_after_a_fault() -> None:
    answers = [[], None, [REGISTERS]]

    def script(t: int, u: int, _: bytes) -> list[bytes] | None:
        chunks = answers.pop(0)
        return None if chunks is None else [frame(t, u, pdu) for pdu in chunks]

    async with peer(script) as (port, _):
        bus = modbus_bus(Gateway("127.0.0.1", port))
        for fault in (NoAnswer, PeerClosed):
            with pytest.raises(fault):
                await bus.ask(1, READ, timeout_s=0.05, priority=Priority.BILLING)
        assert await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING) == (0x1234, 0x5678)
        await bus.close()


async def test_a_gateway_that_is_down_fails_fast_and_is_tried_rarely() -> None:
    async with peer(lambda _t, _u, _p: []) as (port, _):
        pass
    bus = modbus_bus(Gateway("127.0.0.1", port), LineOptions(jitter=lambda: 0.0))
    with pytest.raises(NotConnected):
        await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
    assert bus.is_down
    with pytest.raises(NotConnected, match="waiting"):
        await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING)
    await bus.close()


async def test_a_request_that_cannot_be_sent_does_not_stop_the_bus() -> None:
    async with peer(lambda t, u, _: [frame(t, u, REGISTERS)]) as (port, _):
        bus = modbus_bus(Gateway("127.0.0.1", port))
        with pytest.raises(BadAnswer, match="format"):
            await bus.ask(300, READ, timeout_s=1, priority=Priority.BILLING)
        assert await bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING) == (0x1234, 0x5678)
        await bus.close()


async def test_closing_a_bus_fails_what_waits() -> None:
    async with peer(lambda _t, _u, _p: []) as (port, _):
        bus = modbus_bus(Gateway("127.0.0.1", port))
        waiting = [
            asyncio.create_task(bus.ask(u, READ, timeout_s=30, priority=Priority.BILLING))
            for u in (1, 2)
        ]
        await asyncio.sleep(0)
        await bus.close()
        assert all(
            isinstance(fault, LinkFault)
            for fault in await asyncio.gather(*waiting, return_exceptions=True)
        )


def test_it_works_on_the_loop_that_services_run_on() -> None:
    async def read() -> tuple[int, ...]:
        async with peer(lambda t, u, _: [frame(t, u, REGISTERS)]) as (port, _):
            return await ask(port, timeout_s=2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(read()) == (0x1234, 0x5678)
