"""Builds the street, keeps it counting, and remembers its registers from one start to the next."""

import asyncio
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from npms_shared.clock import Clock
from npms_shared.loops import wait_or_stop
from npms_tools.street.households import SHAPES
from npms_tools.street.meter import WMS_PER_WH, Meter
from npms_tools.street.modbus_server import GatewaySocket
from npms_tools.street.register_map import load_map

PROFILES = ("hiking_dds238_2_znsr", "eastron_sdm320c", "eastron_sdm120")
"""One with a relay by function 16, one by a coil, one without."""
LIMITING = "npms_street_limiter"
"""One with a load limit too; in a street that asks for it."""
SAVE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many meters, behind how many gateway addresses, listening from `port_base` on."""

    meters: int = 24
    gateways: int = 4
    host: str = "127.0.0.1"
    port_base: int = 15020
    profiles: tuple[str, ...] = PROFILES


class Street:
    """Meters by serial, served on one socket per gateway address."""

    def __init__(self, meters: Iterable[Meter], clock: Clock, state: Path | None = None) -> None:
        self.meters = {meter.serial: meter for meter in meters}
        self._clock, self._state = clock, state
        self._sockets: dict[tuple[str, int], GatewaySocket] = {}

    def now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def start(self) -> None:
        """Listen on every address; a port below 0 becomes one that the system chose."""
        by_address: dict[tuple[str, int], dict[int, Meter]] = {}
        for meter in self.meters.values():
            by_address.setdefault((meter.host, meter.port), {})[meter.unit_id] = meter
        for (host, port), units in by_address.items():
            socket = GatewaySocket(units, self.now_ms)
            chosen = await socket.start(host, max(port, 0))
            for meter in units.values():
                meter.port = chosen
            self._sockets[host, chosen] = socket

    async def stop(self) -> None:
        for socket in self._sockets.values():
            await socket.stop()
        self.save()

    async def take_gateway_down(self, host: str, port: int) -> None:
        await self._sockets[host, port].stop()

    async def bring_gateway_up(self, host: str, port: int) -> None:
        await self._sockets[host, port].start(host, port)

    async def run(self, stopping: asyncio.Event) -> None:
        """Count and save until told to stop."""
        while not stopping.is_set():
            self.advance()
            self.save()
            await wait_or_stop(stopping, SAVE_EVERY_S)

    def advance(self) -> None:
        now_ms = self.now_ms()
        for meter in self.meters.values():
            meter.advance(now_ms)

    def save(self) -> None:
        """Write registers and relays, in one step, so that a second start continues them."""
        if self._state is None:
            return
        content = {
            m.serial: {
                "counted_wms": m.counted_wms,
                "relay_on": m.relay_on,
                "limit_w": m.limit_w,
            }
            for m in self.meters.values()
        }
        beside = self._state.with_suffix(".new")
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(self._state)


def build_street(plan: Plan, clock: Clock, state: Path | None = None) -> Street:
    """The street of a plan: the same meters at every start, with the registers kept in `state`.

    While the street is down nobody draws power: counting resumes at the clock's now.
    """
    kept: dict[str, Any] = {}
    if state is not None and state.is_file():
        kept = json.loads(state.read_text(encoding="utf-8"))
    street = Street((), clock, state)
    for meter in _meters(plan, street.now_ms()):
        known = kept.get(meter.serial)
        if known is not None:
            meter.counted_wms, meter.relay_on = known["counted_wms"], known["relay_on"]
            meter.limit_w = known.get("limit_w")
        street.meters[meter.serial] = meter
    return street


def _meters(plan: Plan, now_ms: int) -> Iterable[Meter]:
    maps = [load_map(profile) for profile in plan.profiles]
    kinds = islice(cycle(kind for kind in SHAPES if kind != "vacant"), plan.meters)
    for number, kind in enumerate(kinds):
        gateway, position = number % plan.gateways, number // plan.gateways
        port = plan.port_base + gateway if plan.port_base else -1 - gateway
        yield Meter(
            serial=f"SIM{number + 1:05d}",
            map=maps[(gateway + position) % len(maps)],
            host=plan.host,
            port=port,
            unit_id=position + 1,
            kind=kind,
            seed=7919 * (number + 1),
            counted_wms=(100_000 + 137_413 * (number + 1) % 4_000_000) * WMS_PER_WH,
            at_ms=now_ms,
        )


def describe(meter: Meter) -> dict[str, Any]:
    """A meter as the control interface shows it."""
    return {
        "serial": meter.serial,
        "profile": meter.map.profile,
        "host": meter.host,
        "port": meter.port,
        "unit_id": meter.unit_id,
        "household": meter.kind,
        "register_wh": meter.register_wh,
        "power_w": meter.power_w,
        "relay": "on" if meter.relay_on else "off",
        "has_relay": meter.map.relay is not None,
        "limit_w": meter.limit_w,
        "process": os.getpid(),
    }
