"""RTU frames, on TCP and on a serial line: what fits is read, nothing else ever is."""

import asyncio
import os
import pty
import socket
import struct
import threading
import time
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from tests.support.lines import asking, listening
from tests.support.wait import until

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import BadAnswer, LinkFault, NoAnswer, NotConnected
from npms_meter_gateway.drivers.modbus.pdus import Read, Request, WriteCoil, WriteRegisters
from npms_meter_gateway.drivers.modbus.rtu import Rtu, crc16

REGISTERS = bytes([3, 4]) + struct.pack(">HH", 0x1234, 0x5678)
OTHERS = bytes([3, 4, 0xAA, 0xAA, 0xBB, 0xBB])
READ = Read("holding", 10, 2)
WINDOW_MS = 150
Send = Callable[[bytes], None]
Script = Callable[[bytes, Send], None]
"""(request frame, send) → whatever it sends, now or later."""


def rtu(unit: int, pdu: bytes) -> bytes:
    """A frame, its checksum made by pymodbus."""
    body = bytes([unit]) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


@asynccontextmanager
async def converter(script: Script) -> AsyncIterator[tuple[Gateway, list[bytes]]]:
    """A converter whose serial side sends to whoever is connected now; yields what it was asked."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    def send(data: bytes) -> None:
        writers[-1].write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(8)
                more = head[6] + 1 if head[1] == 16 else 0
                asked.append(head + await reader.readexactly(more))
                script(asked[-1], send)
        writer.close()

    async with listening(serve) as port:
        yield Gateway("127.0.0.1", port, "rtu_over_tcp", late_window_ms=WINDOW_MS), asked


async def ask(
    bus: Bus, request: Request = READ, unit: int = 7, timeout_s: float = 2
) -> tuple[int, ...]:
    return await bus.ask(unit, request, timeout_s=timeout_s, priority=Priority.BILLING)


@given(st.binary(min_size=1, max_size=254))
def test_checksums_are_those_of_pymodbus(body: bytes) -> None:
    assert crc16(body).to_bytes(2, "little") == FramerRTU.compute_CRC(body).to_bytes(2, "big")
    assert crc16(body + crc16(body).to_bytes(2, "little")) == 0


def test_a_request_has_the_bytes_of_the_manuals() -> None:
    assert Rtu().wrap(0, 1, Read("input", 0, 2).encode()) == bytes.fromhex("01040000000271cb")


async def test_reads_and_writes_over_a_converter() -> None:
    def script(request: bytes, send: Send) -> None:
        send(rtu(7, REGISTERS) if request[1] == 3 else rtu(7, request[1:6]))

    async with converter(script) as (gateway, asked), asking(gateway) as bus:
        assert await ask(bus) == (0x1234, 0x5678)
        assert await ask(bus, WriteRegisters(0x1A, (1,))) == ()
        assert await ask(bus, WriteCoil(2, is_on=True)) == ()
    assert asked[0] == rtu(7, bytes.fromhex("03000a0002"))


@pytest.mark.parametrize("cut", range(1, 9))
async def test_t5_an_answer_cut_at_every_byte_is_read_whole(cut: int) -> None:
    loop = asyncio.get_running_loop()

    def script(_: bytes, send: Send) -> None:
        whole = rtu(7, REGISTERS)
        send(whole[:cut])
        loop.call_later(0.02, send, whole[cut:])

    async with converter(script) as (gateway, _), asking(gateway) as bus:
        assert await ask(bus) == (0x1234, 0x5678)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (rtu(8, REGISTERS), "wrong_unit"),
        (rtu(7, bytes([4]) + REGISTERS[1:]), "wrong_function"),
        (rtu(7, bytes([0x2B, 4, 0, 0, 0, 0])), "wrong_function"),
        (rtu(7, bytes([3, 2, 0x12, 0x34])), "wrong_count"),
        (rtu(7, bytes([3, 6]) + bytes(6)), "wrong_count"),
        (rtu(7, bytes([3, 252]) + bytes(250)), "wrong_length"),
        (rtu(7, REGISTERS)[:-1] + b"\0", "bad_crc"),
        (rtu(7, REGISTERS) * 2, "surplus"),
        (rtu(7, REGISTERS) + b"\0", "surplus"),
        (rtu(7, bytes([3, 2]) + bytes(4)), "bad_crc"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong_function"),
    ],
)
async def test_t4_what_does_not_fit_is_counted_by_cause_and_never_decoded(
    answer: bytes, cause: str
) -> None:
    async with (
        converter(lambda _, send: send(answer)) as (gateway, _),
        asking(gateway) as bus,
    ):
        with pytest.raises(BadAnswer):
            await ask(bus)
        assert bus.counts.take().faults == {cause: 1}


async def test_t5_silence_inside_a_frame_ends_as_no_answer_and_the_rest_is_dropped() -> None:
    loop = asyncio.get_running_loop()
    whole = rtu(7, REGISTERS)

    def script(_: bytes, send: Send) -> None:
        if len(asked) > 1:
            send(rtu(7, OTHERS))
            return
        send(whole[:5])
        loop.call_later(0.07, send, whole[5:])

    async with converter(script) as (gateway, asked), asking(gateway) as bus:
        with pytest.raises(NoAnswer):
            await ask(bus, timeout_s=0.05)
        assert await ask(bus) == (0xAAAA, 0xBBBB)


@given(
    st.lists(st.integers(1, 8), max_size=4),
    st.sampled_from(["", "before", "after", "flipped", "doubled", "cut short"]),
    st.binary(min_size=1, max_size=6),
    st.integers(0, 8),
)
async def test_t5_whatever_comes_is_the_right_value_or_a_clean_error(
    cuts: list[int], injury: str, junk: bytes, place: int
) -> None:
    answer = injured(rtu(7, REGISTERS), injury, junk, place)
    edges = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]

    def script(_: bytes, send: Send) -> None:
        for begins, ends in pairwise(edges):
            send(answer[begins:ends])

    async with converter(script) as (gateway, _), asking(replace(gateway, late_window_ms=0)) as bus:
        try:
            assert await ask(bus, timeout_s=0.03) == (0x1234, 0x5678)
        except LinkFault:
            assert injury
        else:
            assert injury in {"", "after", "doubled"}


def injured(frame: bytes, injury: str, junk: bytes, place: int) -> bytes:
    flipped = bytes([frame[place] ^ (junk[0] or 1)])
    return {
        "": frame,
        "before": junk + frame,
        "after": frame + junk,
        "flipped": frame[:place] + flipped + frame[place + 1 :],
        "doubled": frame * 2,
        "cut short": frame[:place],
    }[injury]


async def test_t8_an_answer_that_comes_on_the_next_connection_is_dropped() -> None:
    """Half of it came on the connection before, as a serial server's memory would have it."""
    loop = asyncio.get_running_loop()
    late = rtu(7, OTHERS)

    def script(_: bytes, send: Send) -> None:
        if len(asked) > 1:
            send(rtu(7, REGISTERS))
            return
        send(late[:4])
        loop.call_later(0.04, send, late[4:])
        loop.call_later(0.05, send, late)

    async with converter(script) as (gateway, asked), asking(gateway) as bus:
        with pytest.raises(NoAnswer):
            await ask(bus, timeout_s=0.03)
        assert await ask(bus) == (0x1234, 0x5678)


def late_on_the_second_connection(listening: socket.socket, accepted: threading.Event) -> None:
    """Leaves the first request unanswered until somebody connects anew; answers the next one."""
    first, _ = listening.accept()
    with first:
        first.recv(64)
        second, _ = listening.accept()
        with second:
            accepted.set()
            time.sleep(WINDOW_MS / 2000)
            second.sendall(rtu(7, OTHERS))
            second.recv(64)
            second.sendall(rtu(7, REGISTERS))
            second.recv(64)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_t1_what_came_while_this_process_stood_still_is_dropped(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """The late answer waits in the socket when the quiet time ends: it is not the next one's."""
    listening = socket.create_server(("127.0.0.1", 0))
    accepted = threading.Event()
    meter = threading.Thread(target=late_on_the_second_connection, args=(listening, accepted))
    meter.start()
    port = listening.getsockname()[1]
    gateway = Gateway("127.0.0.1", port, "rtu_over_tcp", late_window_ms=WINDOW_MS)

    async def stand_still() -> tuple[int, ...]:
        async with asking(gateway) as bus:
            with pytest.raises(NoAnswer):
                await ask(bus, timeout_s=0.03)
            next_one = asyncio.create_task(ask(bus))

            async def reopened() -> bool:
                return accepted.is_set() and bus._silence.is_kept

            await until(reopened, every_s=0.005)
            busy, other = socket.socketpair()
            with busy, other:
                loop = asyncio.get_running_loop()
                loop.add_writer(busy, lambda: stand(loop, busy))
                return await next_one

    def stand(loop: asyncio.AbstractEventLoop, busy: socket.socket) -> None:
        """What another connection's bytes may bring about, right before timers are looked at."""
        loop.remove_writer(busy)
        time.sleep(2 * WINDOW_MS / 1000)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(stand_still()) == (0x1234, 0x5678)
    meter.join()
    listening.close()


async def test_a_pause_is_kept_between_two_requests() -> None:
    times: list[float] = []
    loop = asyncio.get_running_loop()

    def script(_: bytes, send: Send) -> None:
        times.append(loop.time())
        send(rtu(7, REGISTERS))

    async with converter(script) as (gateway, _), asking(replace(gateway, pause_ms=40)) as bus:
        await asyncio.gather(*(ask(bus) for _ in range(3)))
    assert all(later - earlier >= 0.038 for earlier, later in pairwise(times))


def void(_: object) -> None:
    pass


@asynccontextmanager
async def serial_line(script: Script) -> AsyncIterator[tuple[Gateway, list[bytes]]]:
    """A pair of pseudo-terminals: the driver opens the one, meters answer on the other."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    asked: list[bytes] = []
    loop = asyncio.get_running_loop()

    def readable() -> None:
        asked.append(os.read(master, 256))
        script(asked[-1], lambda data: void(os.write(master, data)))

    loop.add_reader(master, readable)
    try:
        yield (
            Gateway("", 0, "serial", device=os.ttyname(slave), late_window_ms=WINDOW_MS),
            asked,
        )
    finally:
        loop.remove_reader(master)
        os.close(slave)
        os.close(master)


async def test_reads_and_writes_on_a_serial_device() -> None:
    def script(request: bytes, send: Send) -> None:
        send(rtu(7, REGISTERS) if request[1] == 3 else rtu(7, request[1:6]))

    async with serial_line(script) as (gateway, asked), asking(gateway) as bus:
        assert await ask(bus) == (0x1234, 0x5678)
        assert await ask(bus, WriteRegisters(0x1A, (1,))) == ()
        assert asked[0] == rtu(7, bytes.fromhex("03000a0002"))


async def test_t1_a_late_answer_on_a_serial_device_is_drained() -> None:
    loop = asyncio.get_running_loop()

    def script(_: bytes, send: Send) -> None:
        if len(asked) > 1:
            send(rtu(7, REGISTERS))
        else:
            loop.call_later(0.05, send, rtu(7, OTHERS))

    async with serial_line(script) as (gateway, asked), asking(gateway) as bus:
        with pytest.raises(NoAnswer):
            await ask(bus, timeout_s=0.03)
        assert await ask(bus) == (0x1234, 0x5678)
        assert bus.counts.take().faults == {"no_answer": 1}


async def test_a_device_that_is_not_there_is_said_to_be_missing() -> None:
    async with asking(Gateway("", 0, "serial", device="/dev/no_such_line")) as bus:
        with pytest.raises(NotConnected, match="no_such_line"):
            await ask(bus)
        assert bus.is_down


async def test_a_device_that_cannot_be_set_so_is_told_of() -> None:
    """A pseudo-terminal knows no parity."""
    async with serial_line(lambda *_: None) as (gateway, _):
        async with asking(replace(gateway, parity="E")) as bus:
            with pytest.raises(NotConnected):
                await ask(bus)
