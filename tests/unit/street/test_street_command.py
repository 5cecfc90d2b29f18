"""`npms street` as a process, on its own event loop."""

import asyncio
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.support.wait import until

from npms_tools.stack.ports import free_port

PLAN = "faults: [{fault: reset, meters: [SIM00002]}, {fault: near_rollover, by_wh: 5}]"


@contextmanager
def street(tmp_path: Path, *words: str) -> Iterator[httpx.Client]:
    port = free_port()
    plan = tmp_path / "street.yaml"
    plan.write_text(PLAN)
    process = subprocess.Popen(
        [
            sys.executable, "-m", "npms_tools.street.cli", "--port-base", "0",
            "--control-port", str(port), "--faults", str(plan), *words,
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            yield http
    finally:
        process.terminate()
        process.wait(10)
    assert process.returncode == 0


async def meters_of(http: httpx.Client) -> dict[str, dict[str, object]]:
    def look() -> list[dict[str, object]] | None:
        try:
            return http.get("/meters").json()  # type: ignore[no-any-return]
        except httpx.TransportError:
            return None

    found = await until(lambda: asyncio.to_thread(look))
    return {str(one["serial"]): one for one in found}


async def read_import(meter: dict[str, object]) -> bytes:
    reader, writer = await asyncio.open_connection(str(meter["host"]), int(str(meter["port"])))
    try:
        unit = int(str(meter["unit_id"]))
        writer.write(struct.pack(">HHHB", 1, 0, 6, unit) + bytes([3, 0, 0x0A, 0, 2]))
        async with asyncio.timeout(5):
            return await reader.read(13)
    finally:
        writer.close()


async def test_a_street_of_many_sockets_with_faults_serves_and_ends(tmp_path: Path) -> None:
    words = ("--meters", "600", "--gateways", "100", "--profiles", "hiking_dds238_2_znsr")
    with street(tmp_path, *words, "--loads", "standard", "--feeders", "--record") as http:
        meters = await meters_of(http)
        assert len(meters) == 700
        assert len({one["port"] for one in meters.values()}) == 100
        answer = await read_import(meters["SIM00001"])
        assert int.from_bytes(answer[9:13], "big") == 4_294_967_295
        with pytest.raises(ConnectionResetError):
            await read_import(meters["SIM00002"])
        log = http.get("/faults/log", params={"subject": "SIM00002"}).json()
        assert [one["fault"] for one in log["items"]] == ["near_rollover", "reset"]
        assert http.get("/shown").json()[0]["shown_wh"] == 42_949_672_950


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--profiles", "no_such"), "no profile no_such"),
        (("--transport", "pigeon"), "pigeon"),
        (("--meters", "5000", "--gateways", "4"), "247"),
        (("--faults", "/nowhere.yaml"), "nowhere"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-c", "from npms_tools.cli import app; app()", "street", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert says in done.stderr
