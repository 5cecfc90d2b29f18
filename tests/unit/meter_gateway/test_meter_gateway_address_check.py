"""What a gateway's address or device may make this machine open, and what it may not."""

import asyncio
import os
import pty
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.wait import until

from npms_meter_gateway.domain.allowed_addresses import (
    ANYTHING,
    AllowedAddresses,
    devices_of,
    networks_of,
    ports_of,
)
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line import opening
from npms_meter_gateway.drivers.line.address_check import AddressCheck
from npms_meter_gateway.drivers.line.bus import LineOptions
from npms_meter_gateway.drivers.line.errors import LinkFault, NotAllowed, NotConnected
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.settings import MeterGatewaySettings

READ = Read("holding", 10, 2)


def by_default() -> AllowedAddresses:
    fields = MeterGatewaySettings.model_fields
    return AllowedAddresses(
        networks_of(fields["allowed_networks"].default),
        ports_of(fields["allowed_ports"].default),
        devices_of(fields["allowed_devices"].default),
    )


@pytest.mark.parametrize(
    ("ip", "port"),
    [
        ("127.0.0.1", 502), ("169.254.169.254", 80), ("169.254.169.254", 502), ("8.8.8.8", 502),
        ("fd00:ec2::254", 502), ("fe80::1", 502), ("0.0.0.0", 502),  # noqa: S104
        ("10.0.0.5", 5432), ("10.0.0.5", 5672), ("10.0.0.5", 15672), ("10.0.0.5", 80),
        ("10.0.0.5", 443), ("10.0.0.5", 22), ("10.0.0.5", 6379), ("10.0.0.5", 2375),
        (None, 5432),
    ],
)  # fmt: skip
def test_by_default_no_line_leads_to_a_database_or_the_metadata_of_a_cloud(
    ip: str | None, port: int
) -> None:
    assert by_default().fault_of_address(ip, port)


@pytest.mark.parametrize(
    ("ip", "port"), [("10.0.0.5", 502), ("192.168.1.7", 4001), ("fd12::7", 8899), (None, 502)]
)
def test_by_default_a_line_leads_to_meters_of_a_private_network(ip: str | None, port: int) -> None:
    assert by_default().fault_of_address(ip, port) is None


@pytest.mark.parametrize("ip", ["169.254.169.254", "fd00:ec2::254", "224.0.0.1", "fe80::1"])
def test_what_is_never_a_meter_is_refused_whatever_is_allowed(ip: str) -> None:
    assert ANYTHING.fault_of_address(ip, 502)


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/dev/ttyUSB0", True),
        ("/dev/serial/by-id/usb-FTDI_FT232R_A1-if00-port0", True),
        ("/dev/ttyUSB/../sda", False),
        ("/dev/ttyUSB0/x", False),
        ("/dev/mem", False),
        ("/dev/shm/ttyUSB0", False),
        ("/etc/passwd", False),
        ("ttyUSB0", False),
        ("socket://10.0.0.5:502", False),
        ("spy:///dev/ttyUSB0?file=/tmp/x", False),
        ("/dev/ttyUSB0?x=spy://", False),
    ],
)
def test_only_named_serial_devices_are_opened(path: str, is_allowed: bool) -> None:  # noqa: FBT001
    assert (by_default().fault_of_device(path) is None) == is_allowed


async def fault_of(gateway: Gateway, addresses: AddressCheck | None = None) -> LinkFault:
    addresses = addresses or AddressCheck()
    bus = modbus_bus(gateway, LineOptions(addresses=addresses, connect_timeout_s=0.5))
    try:
        with pytest.raises(LinkFault) as caught:
            await bus.ask(1, READ, timeout_s=0.2, priority=Priority.ON_DEMAND)
        return caught.value
    finally:
        await bus.close()


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[int, list[object]]]:
    connected: list[object] = []
    server = await asyncio.start_server(lambda *pair: connected.append(pair), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], connected
    server.close()
    for pair in connected:
        pair[1].close()  # type: ignore[index]


@pytest.mark.parametrize("kind", ["socket", "rfc2217", "spy", "loop", "alt", "hwgrep"])
async def test_a_serial_device_is_no_order_to_pyserial(kind: str, tmp_path: Path) -> None:
    """`socket://` connected to what it was told, `spy://` emptied a file, `rfc2217://` stopped the
    loop for as long as nobody answered.
    """
    kept = tmp_path / "kept.txt"
    kept.write_text("precious")
    leader, follower = pty.openpty()
    async with listener() as (port, connected):
        device = {
            "socket": f"socket://127.0.0.1:{port}",
            "rfc2217": f"rfc2217://127.0.0.1:{port}",
            "spy": f"spy://{os.ttyname(follower)}?file={kept}",
            "loop": "loop://",
            "alt": f"alt://{os.ttyname(follower)}?class=Serial",
            "hwgrep": "hwgrep://.*",
        }[kind]
        fault = await fault_of(Gateway("", 1, "serial", device=device))
        assert isinstance(fault, NotAllowed)
        assert connected == []
    assert kept.read_text() == "precious"
    os.close(leader)
    os.close(follower)


async def test_a_link_out_of_dev_is_not_followed(tmp_path: Path) -> None:
    """What stands below /dev may be a link to anything, or a file in memory."""
    file = Path("/dev/shm") / f"npms-test-{os.getpid()}"
    link = file.with_name(f"{file.name}-link")
    file.write_text("precious")
    link.symlink_to(tmp_path)
    try:
        for path, why in ((file, "no serial device"), (link, "leads to")):
            fault = await fault_of(Gateway("", 1, "serial", device=str(path)))
            assert isinstance(fault, NotAllowed)
            assert why in str(fault)
        assert file.read_text() == "precious"
    finally:
        file.unlink()
        link.unlink()


async def test_a_device_that_takes_its_time_to_open_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released, opened = threading.Event(), []

    class Slow(opening.SerialTransport):  # type: ignore[misc]
        def __init__(self, *given: Any, **ask_driver: Any) -> None:
            released.wait(10)
            super().__init__(*given, **ask_driver)
            opened.append(self)

    monkeypatch.setattr(opening, "SerialTransport", Slow)
    leader, follower = pty.openpty()
    bus = modbus_bus(
        Gateway("", 1, "serial", device=os.ttyname(follower)), LineOptions(connect_timeout_s=0.2)
    )
    loop, ticks = asyncio.get_running_loop(), 0
    asking = asyncio.create_task(
        bus.ask(1, READ, timeout_s=1, priority=Priority.BILLING), name="waits for the device"
    )
    began = loop.time()
    while not asking.done():
        ticks += 1
        await asyncio.wait({asking}, timeout=0.01)
    assert isinstance(asking.exception(), NotConnected)
    assert loop.time() - began < 5
    assert ticks > 5
    released.set()

    async def is_closed_again() -> bool:
        return bool(opened) and opened[0].sync_serial is None

    await until(is_closed_again)
    await bus.close()
    os.close(leader)
    os.close(follower)


async def test_an_address_outside_what_is_allowed_is_not_even_tried() -> None:
    async with listener() as (port, connected):
        for host in ("127.0.0.1", "localhost", "2130706433"):
            fault = await fault_of(Gateway(host, port), AddressCheck(by_default()))
            assert isinstance(fault, NotAllowed)
            assert "allowed" in str(fault)
        assert connected == []


async def test_what_was_checked_is_what_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is another address at each look-up is looked up once."""
    answers = ["127.0.0.1", "169.254.169.254"]
    loop = asyncio.get_running_loop()

    async def look_up(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        assert host == "meters.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    async with listener() as (port, connected):
        gateway = Gateway("meters.example", port)
        loopback = AddressCheck(
            AllowedAddresses(networks_of("127.0.0.0/8"), ports_of("1-65535"), ())
        )
        assert not isinstance(await fault_of(gateway, loopback), NotConnected)
        assert len(connected) == 1
        fault = await fault_of(gateway, loopback)
        assert isinstance(fault, NotAllowed)
        assert "169.254.169.254" in str(fault)
        assert len(connected) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_networks", "10.0.0.0/33"), ("allowed_networks", "meters"),
        ("allowed_ports", "0"), ("allowed_ports", "502-"), ("allowed_ports", "9-3"),
        ("allowed_ports", "70000"), ("allowed_devices", "/etc/*"), ("allowed_devices", "tty*"),
        ("allowed_devices", "/dev/../etc/*"),
    ],
)  # fmt: skip
def test_what_allows_nothing_that_can_be_is_refused(name: str, value: str) -> None:
    parse = {"networks": networks_of, "ports": ports_of, "devices": devices_of}
    with pytest.raises(ValueError, match=r".+"):
        parse[name.removeprefix("allowed_")](value)
