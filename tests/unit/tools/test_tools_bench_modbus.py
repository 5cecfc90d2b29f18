"""The Modbus bench's own parts: its server, and what it counts as right and wrong."""

import asyncio

import pytest

from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_tools.bench_modbus.cli import _medians
from npms_tools.bench_modbus.load import Load, measure
from npms_tools.bench_modbus.server import Converter, listen, mbap_answers, rtu_answers


def load(port: int, **changes: object) -> Load:
    values = {
        "ports": (port,), "connections": 3, "seconds": 0.2, "count": 20, "blocks": 2, "depth": 1,
        "timeout_s": 2, "late_window_ms": 0, **changes,
    }  # fmt: skip
    return Load(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", ["bus", "rtu", "pymodbus", "pymodbus-rtu"])
async def test_every_client_of_ours_and_pymodbus_reads_what_the_server_shows(subject: str) -> None:
    server = await listen(Converter(is_rtu=subject.endswith("rtu")))
    figures = await measure(load(server.sockets[0].getsockname()[1]), subject)
    server.close()
    assert figures["reads"] > 3
    assert (figures["wrong"], figures["faults"]) == (0, 0)
    assert figures["cpu_s"] > 0


async def test_several_requests_of_a_segment_are_all_answered() -> None:
    server = await listen(Converter(is_rtu=False))
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    pdu = Read("input", 7, 2).encode()
    requests = [bytes([0, n, 0, 0, 0, 6, 1]) + pdu for n in range(1, 9)]
    writer.write(b"".join(requests) + requests[0][:5])
    answers = await reader.readexactly(8 * 13)
    assert [answers[at + 1] for at in range(0, len(answers), 13)] == list(range(1, 9))
    assert answers[9:13] == bytes([0, 7, 0, 8])
    writer.write(requests[0][5:])
    assert (await reader.readexactly(13))[1] == 1
    writer.close()
    server.close()


def test_what_is_not_whole_is_not_answered() -> None:
    assert list(mbap_answers(bytes(11))) == []
    assert list(rtu_answers(bytes(7))) == []


def test_figures_are_medians_and_errors_are_summed() -> None:
    runs = [
        {"reads": reads, "wall_s": 1.0, "cpu_s": cpu_s, "wrong": 1, "faults": 0}
        for reads, cpu_s in ((1000, 0.05), (3000, 0.03), (2000, 0.04))
    ]
    assert _medians(runs) == {
        "reads_per_s": 2000, "cpu_s_per_1000": 0.02, "wrong": 3, "faults": 0,
    }  # fmt: skip
