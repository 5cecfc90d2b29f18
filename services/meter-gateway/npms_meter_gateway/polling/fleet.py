"""All lines: follows which installations are open, and knows the unit of each."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.breaker import BreakerPolicy, GatewayBreaker
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.meters import PolledInstallation
from npms_meter_gateway.domain.profile import DriverName, Profile
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.drivers.line.bus import Bus, LineOptions
from npms_meter_gateway.handlers.leases import LeaseLost
from npms_meter_gateway.polling.hooks import Hooks
from npms_meter_gateway.polling.line import FIRST_POLL_WITHIN_S, Line
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.unit import Unit
from npms_shared.clock import Clock
from npms_shared.db.engine import is_passing

Address = tuple[str, int, DriverName]


FIRST_POLLS_PER_S = 200
"""A start with many meters takes its time instead of all of the processor's."""
AT_A_TIME = 50
"""Meters added before others get their turn: the lease must be renewed meanwhile."""

log = structlog.get_logger()


class Fleet:
    """One line, and so one connection, per gateway address and protocol."""

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        clock: Clock,
        hooks: Hooks,
        *,
        cadence: Cadence,
        policy: BreakerPolicy,
        options: LineOptions | None = None,
        drivers: Drivers | None = None,
    ) -> None:
        self._profiles, self._clock, self._hooks = profiles, clock, hooks
        self._cadence, self._policy = cadence, policy
        self._options, self._drivers = options or LineOptions(), drivers or Drivers()
        self._lines: dict[Address, tuple[Line, asyncio.Task[None]]] = {}
        self._meters: dict[int, tuple[Address, Meter]] = {}
        self._withdrawn: frozenset[int] = frozenset()

    def unit(self, installation_id: int) -> Unit | None:
        """The unit of an installation that is polled, and not about to be handed over."""
        known = self._meters.get(installation_id)
        return known[1].unit if known and installation_id not in self._withdrawn else None

    def withdraw(self, gateway_ids: Collection[int]) -> frozenset[int]:
        """Nothing new is begun with the meters behind these gateways; returns which those are."""
        self._withdrawn = frozenset(
            installation_id
            for installation_id in self._meters
            if self._gateway_of(installation_id).gateway_id in gateway_ids
        )
        return self._withdrawn

    async def drop_withdrawn(self) -> None:
        """Poll them no more, and hang up."""
        for installation_id in self._withdrawn:
            await self._remove(installation_id)
        self._withdrawn = frozenset()
        metrics.METERS_POLLED.set(len(self._meters))

    def buses(self) -> list[Bus]:
        """The bus of every line there is now."""
        return [line.bus for line, _ in self._lines.values()]

    async def follow(self, installations: Sequence[PolledInstallation]) -> None:
        """Poll exactly these installations; those already polled go on undisturbed, unless their
        gateway is set otherwise.
        """
        wanted = {i.installation_id: i for i in installations if i.profile in self._profiles}
        for installation_id in list(self._meters):
            polled = wanted.get(installation_id)
            if polled is None or self._gateway_of(installation_id) != polled.gateway:
                await self._remove(installation_id)
        new = wanted.keys() - self._meters.keys()
        within_s = max(FIRST_POLL_WITHIN_S, len(new) / FIRST_POLLS_PER_S)
        for number, installation_id in enumerate(new, 1):
            self._add(wanted[installation_id], within_s)
            if not number % AT_A_TIME:
                await asyncio.sleep(0)
        metrics.METERS_POLLED.set(len(self._meters))

    async def close(self) -> None:
        """Drop every connection."""
        for installation_id in list(self._meters):
            await self._remove(installation_id)
        metrics.METERS_POLLED.set(0)

    def _add(self, polled: PolledInstallation, within_s: float) -> None:
        profile, gateway = self._profiles[polled.profile], polled.gateway
        address = (gateway.host, gateway.port, profile.driver)
        line = self._line(gateway, profile.driver)
        line.bus.keep_gap(profile.limits.min_gap_ms)
        driver = self._drivers.driver(
            line.bus, profile, serial=polled.serial, unit_id=polled.unit_id
        )
        unit = Unit(driver, profile, self._policy, gateway=line.breaker)
        is_reachable = {"reachable": True, "unreachable": False}.get(polled.link)
        meter = Meter(
            polled.installation_id,
            polled.account_id,
            polled.serial,
            unit,
            is_reachable=is_reachable,
        )
        self._meters[polled.installation_id] = (address, meter)
        line.add(meter, within_s)

    def _gateway_of(self, installation_id: int) -> Gateway:
        address, _ = self._meters[installation_id]
        return self._lines[address][0].bus.gateway

    def _line(self, gateway: Gateway, driver: DriverName) -> Line:
        address = (gateway.host, gateway.port, driver)
        if address not in self._lines:
            bus = self._drivers.bus(gateway, driver, self._options)
            breaker = GatewayBreaker(self._policy)
            line = Line(bus, self._clock, self._cadence, self._hooks, breaker)
            task = asyncio.create_task(self._keep(line), name=f"line {gateway.name}")
            self._lines[address] = (line, task)
        return self._lines[address][0]

    async def _remove(self, installation_id: int) -> None:
        address, _ = self._meters.pop(installation_id)
        line, task = self._lines[address]
        line.remove(installation_id)
        if line.meters:
            return
        del self._lines[address]
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await line.bus.close()

    async def _keep(self, line: Line) -> None:
        """A line that fails by a fault of ours is told of and goes on."""
        while True:
            try:
                await line.run()
            except Exception as fault:  # noqa: BLE001 - told of, and the line goes on
                tell = log.warning if _is_passing(fault) else log.exception
                tell("line_failed", gateway=line.bus.gateway.name, fault=repr(fault))
                await asyncio.sleep(1)


def _is_passing(fault: Exception) -> bool:
    if isinstance(fault, ExceptionGroup):
        return all(_is_passing(inner) for inner in fault.exceptions)
    return isinstance(fault, LeaseLost) or is_passing(fault)
