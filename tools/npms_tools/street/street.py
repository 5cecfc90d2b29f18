"""Builds the street, keeps it counting, and remembers its registers from one start to the next."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

from npms_shared.clock import Clock
from npms_shared.loops import wait_or_stop
from npms_tools.street.contact import Contact
from npms_tools.street.fault_plan import FaultPlan
from npms_tools.street.framing import Transport
from npms_tools.street.homes import Home, Shaped, settle
from npms_tools.street.households import SHAPES
from npms_tools.street.journal import Journal
from npms_tools.street.meter import WMS_PER_WH, Feeder, Meter
from npms_tools.street.modbus_server import GatewaySocket, Line
from npms_tools.street.register_map import RegisterMap, load_map
from npms_tools.street.unrest import Unrest

PROFILES = ("hiking_dds238_2_znsr", "eastron_sdm320c", "eastron_sdm120")
"""One with a relay by function 16, one by a coil, one without."""
LIMITING = "npms_street_limiter"
"""One with a load limit too; in a street that asks for it."""
FEEDER_PROFILE = "schneider_iem3000"
"""Counts whole Wh in 64 bits: fit for the head of a section."""
LOSS_PPM = 20_000
SAVE_EVERY_S = 1.0

Transports = Literal["modbus_tcp", "rtu_over_tcp", "mixed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many meters, behind how many gateway addresses, listening from `port_base` on.

    `loads` are the demonstration's few shapes, or homes drawn from the standard profile. With
    `feeders` each gateway has one more meter, at the head of its section. With `baud` the meters
    of a gateway share a serial line of that speed.
    """

    meters: int = 24
    gateways: int = 4
    host: str = "127.0.0.1"
    port_base: int = 15020
    profiles: tuple[str, ...] = PROFILES
    seed: int = 1
    loads: Literal["shapes", "standard"] = "shapes"
    transport: Transports = "modbus_tcp"
    feeders: bool = False
    baud: int | None = None
    max_clients: int | None = None
    relay_ms: int = 0

    def transport_of(self, gateway: int) -> Transport:
        """Mixed: every second gateway passes RTU frames through."""
        if self.transport == "mixed":
            return "rtu_over_tcp" if gateway % 2 else "modbus_tcp"
        return self.transport


class Street:
    """Meters by serial, served on one socket per gateway address."""

    def __init__(
        self,
        meters: Iterable[Meter],
        clock: Clock,
        state: Path | None = None,
        *,
        line: Line | None = None,
        max_clients: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.meters: dict[str, Meter] = {}
        self.journal = journal or Journal()
        self._clock, self._state = clock, state
        self._line, self._max_clients = line, max_clients
        self.sockets: dict[tuple[str, int], GatewaySocket] = {}
        self.unrest = Unrest(self.journal)
        for meter in meters:
            self.add(meter)

    def add(self, meter: Meter) -> None:
        meter.journal = self.journal
        self.meters[meter.serial] = meter

    def now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def start(self) -> None:
        """Listen on every address; a port below 0 becomes one that the system chose."""
        by_address: dict[tuple[str, int], dict[int, Meter]] = {}
        for meter in self.meters.values():
            by_address.setdefault((meter.host, meter.port), {})[meter.unit_id] = meter
        for (host, port), units in by_address.items():
            socket = self._socket(units)
            chosen = await socket.start(host, max(port, 0))
            for meter in units.values():
                meter.port = chosen
            self.sockets[host, chosen] = socket

    def _socket(self, units: dict[int, Meter]) -> GatewaySocket:
        return GatewaySocket(
            units,
            self.now_ms,
            transport=next(iter(units.values())).transport,
            line=self._line,
            max_clients=self._max_clients,
            journal=self.journal,
        )

    async def stop(self) -> None:
        for socket in self.sockets.values():
            await socket.stop()
        self.save()

    async def take_gateway_down(self, host: str, port: int) -> None:
        await self.sockets[host, port].stop()

    async def bring_gateway_up(self, host: str, port: int) -> None:
        await self.sockets[host, port].start(host, port)

    def trouble(self, plan: FaultPlan) -> None:
        """Put the faults of a plan over the street; their seconds count from now."""
        self.unrest.spread(plan, self.meters.values(), self.sockets, began_s=self.now_ms() / 1000)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work the faults that have their times, and save, until told to stop.

        Meters count when they are asked: nothing here costs by the meter unless a state is kept.
        """
        while not stopping.is_set():
            if self._state is not None:
                self.advance()
                self.save()
            await self.unrest.work(self.now_ms())
            await wait_or_stop(stopping, SAVE_EVERY_S)

    def advance(self) -> None:
        now_ms = self.now_ms()
        for meter in self.meters.values():
            meter.advance(now_ms)

    def save(self) -> None:
        """Write registers and relays, in one step, so that a second start continues them."""
        if self._state is None:
            return
        content = {meter.serial: _kept(meter) for meter in self.meters.values()}
        beside = self._state.with_suffix(".new")
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(self._state)


def _kept(meter: Meter) -> dict[str, Any]:
    return {
        "counted_wms": meter.counted_wms,
        "exported_wms": meter.exported_wms,
        "relay_on": meter.relay_on,
        "limit_w": meter.limit_w,
    }


def build_street(
    plan: Plan, clock: Clock, state: Path | None = None, *, journal: Journal | None = None
) -> Street:
    """The street of a plan: the same meters at every start, with the registers kept in `state`.

    While the street is down nobody draws power: counting resumes at the clock's now.
    """
    kept: dict[str, Any] = {}
    if state is not None and state.is_file():
        kept = json.loads(state.read_text(encoding="utf-8"))
    line = Line(plan.baud) if plan.baud else None
    street = Street((), clock, state, line=line, max_clients=plan.max_clients, journal=journal)
    for meter in _meters(plan, street.now_ms()):
        known = kept.get(meter.serial)
        if known is not None:
            meter.counted_wms, meter.relay_on = known["counted_wms"], known["relay_on"]
            meter.exported_wms = known.get("exported_wms", 0)
            meter.limit_w = known.get("limit_w")
        street.add(meter)
    return street


def _meters(plan: Plan, now_ms: int) -> Iterator[Meter]:
    maps = [load_map(profile) for profile in plan.profiles]
    sections: dict[int, list[Meter]] = {}
    for number, home in enumerate(_homes(plan)):
        gateway, position = number % plan.gateways, number // plan.gateways
        meter = _meter(plan, maps[(gateway + position) % len(maps)], number, home, now_ms)
        sections.setdefault(gateway, []).append(meter)
        yield meter
    if plan.feeders:
        for gateway, members in sections.items():
            yield _feeder(plan, gateway, members, now_ms)


def _homes(plan: Plan) -> Iterator[Home]:
    if plan.loads == "standard":
        yield from (settle(number, plan.seed) for number in range(plan.meters))
        return
    kinds = islice(cycle(kind for kind in SHAPES if kind != "vacant"), plan.meters)
    yield from (Shaped(kind, 7919 * (number + 1)) for number, kind in enumerate(kinds))


def _meter(plan: Plan, register_map: RegisterMap, number: int, home: Home, now_ms: int) -> Meter:
    gateway, position = number % plan.gateways, number // plan.gateways
    relay = register_map.relay or {}
    needs_button = bool(relay.get("local_reclose")) or relay.get("kind") == "local"
    return Meter(
        serial=f"SIM{number + 1:05d}",
        map=register_map,
        host=plan.host,
        port=plan.port_base + gateway if plan.port_base else -1 - gateway,
        unit_id=position + 1,
        home=home,
        seed=7919 * (number + 1),
        counted_wms=(100_000 + 137_413 * (number + 1) % 4_000_000) * WMS_PER_WH,
        at_ms=now_ms,
        transport=plan.transport_of(gateway),
        contact=Contact(moves_in_ms=plan.relay_ms, needs_button=needs_button),
    )


def _feeder(plan: Plan, gateway: int, members: list[Meter], now_ms: int) -> Feeder:
    feeder = Feeder(
        serial=f"FEED{gateway + 1:04d}",
        map=load_map(FEEDER_PROFILE),
        host=plan.host,
        port=members[0].port,
        unit_id=len(members) + 1,
        home=Shaped("vacant", gateway),
        seed=104_729 * (gateway + 1),
        counted_wms=50_000_000 * WMS_PER_WH,
        at_ms=now_ms,
        transport=members[0].transport,
    )
    feeder.head(members, loss_ppm=LOSS_PPM)
    return feeder


def describe(meter: Meter) -> dict[str, Any]:
    """A meter as the control interface shows it."""
    return {
        "serial": meter.serial,
        "profile": meter.map.profile,
        "host": meter.host,
        "port": meter.port,
        "unit_id": meter.unit_id,
        "transport": meter.transport,
        "household": meter.kind,
        "register_wh": meter.register_wh,
        "display_wh": meter.display_wh,
        "exported_wh": meter.exported_wms // WMS_PER_WH,
        "drawn_wh": meter.drawn_wms // WMS_PER_WH,
        "energy_wh": meter.energy_wh,
        "resolution_wh": meter.map.resolution_wh,
        "rollover_wh": meter.map.rollover_wh,
        "power_w": meter.power_w,
        "relay": "on" if meter.relay_on else "off",
        "armed": meter.contact.is_armed,
        "has_relay": meter.map.relay is not None,
        "is_commanded": (meter.map.relay or {"kind": "local"})["kind"] != "local",
        "limit_w": meter.limit_w,
        "feeder": meter.feeder.serial if meter.feeder else None,
        "process": os.getpid(),
    }
