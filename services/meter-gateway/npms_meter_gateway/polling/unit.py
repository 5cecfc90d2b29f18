"""One meter on a line: when it is left alone, and what its answers mean to us."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import TypeVar

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy, GatewayBreaker
from npms_meter_gateway.domain.decoding import whole
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.profile import (
    ENERGY,
    LOAD_LIMIT,
    POWER,
    RELAY,
    RELAY_FAULT,
    SERIAL,
    VOLTAGE,
    Profile,
)
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.drivers.driver import Driver, Priority
from npms_meter_gateway.drivers.line.errors import (
    Lapsed,
    LinkFault,
    NotConnected,
    OtherMeter,
    Overdue,
    Refused,
)

POLLED = frozenset({ENERGY, POWER, VOLTAGE, RELAY})
SUPPLY_POINTS = frozenset({RELAY, RELAY_FAULT, LOAD_LIMIT, POWER})

T = TypeVar("T")


class Suspended(LinkFault):
    """The unit did not answer lately and is left alone until `until` (loop time)."""

    cause = "suspended"

    def __init__(self, until: float) -> None:
        super().__init__("left alone after silence")
        self.until = until


class Unit:
    """A driver and its breaker, which counts silence, not refusals.

    `gateway` is the breaker of all units behind the same address: while it is open no unit of
    them is asked, except by a probe.
    """

    def __init__(
        self,
        driver: Driver,
        profile: Profile,
        policy: BreakerPolicy,
        *,
        gateway: GatewayBreaker | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.driver, self.profile = driver, profile
        self.breaker = Breaker(policy)
        self.gateway = gateway or GatewayBreaker(policy)
        self.gateway.units[self] = self.breaker
        self._jitter = jitter

    def leave(self) -> None:
        """Count no more among the units of its gateway."""
        self.gateway.units.pop(self, None)

    async def poll(
        self,
        names: Collection[str] = POLLED,
        priority: Priority = Priority.BILLING,
        *,
        probe: bool = False,
    ) -> MeterAnswer:
        """These points in as few reads as the meter allows; a probe is sent through any breaker.

        Raises a LinkFault; Suspended while a breaker is open.
        """
        return await self._guarded(lambda: self.driver.read(names, priority), probe=probe)

    async def read_supply(self) -> MeterAnswer:
        """The relay's state, the load limit and the power that flows, ahead of all polls.

        Raises a LinkFault; Suspended while a breaker is open.
        """
        answer = await self._guarded(lambda: self.driver.read(SUPPLY_POINTS, Priority.READ_BACK))
        relay = self.profile.relay
        is_without_register = relay is not None and relay.read_back is None
        if answer.relay is not None or is_without_register:
            return answer
        return replace(answer, relay="unknown")

    async def serial_number(self, priority: Priority = Priority.SLOW) -> str | None:
        """What the meter calls itself; None where it, or its profile, does not tell.

        Raises a LinkFault; Suspended while a breaker is open.
        """
        if SERIAL not in self.profile.points:
            return None
        shown = await self._guarded(lambda: self.driver.read({SERIAL}, priority))
        return str(whole(shown.values[SERIAL])) if SERIAL in shown.values else None

    async def switch(self, state: State, known: str | None = None) -> None:
        """Send the command once; that it was acknowledged proves nothing.

        Right before it the meter tells who it is: Raises OtherMeter where that is not the
        `known` one, and other LinkFaults.
        """
        await self._check_serial(known)
        await self._guarded(lambda: self.driver.switch(state))

    async def limit(self, limit_w: int | None, known: str | None = None) -> None:
        """Write the load limit once; None takes it away. As sure of the meter as `switch` is:
        raises OtherMeter and other LinkFaults.
        """
        await self._check_serial(known)
        await self._guarded(lambda: self.driver.limit(limit_w))

    async def _check_serial(self, known: str | None) -> None:
        serial = await self.serial_number(Priority.RELAY_WRITE)
        if serial != known and SERIAL in self.profile.points:
            raise OtherMeter(serial, known)

    async def ask_driver(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Whatever else its driver is asked. Raises LinkFaults as `poll` does."""
        return await self._guarded(ask)

    async def _guarded(self, ask: Callable[[], Awaitable[T]], *, probe: bool = False) -> T:
        """The answer; Suspended while a breaker is open, other LinkFaults as they come."""
        if not probe:
            self._check_breakers()
        try:
            answer = await ask()
        except LinkFault as fault:
            self._note(fault)
            raise
        self._answered()
        return answer

    def _check_breakers(self) -> None:
        if self.gateway.is_open:
            raise Suspended(self.gateway.closed_to)
        if not self.breaker.allows(asyncio.get_running_loop().time()):
            raise Suspended(self.breaker.closed_to)

    def _answered(self) -> None:
        self.gateway.heard()
        self.breaker.succeed()

    def _note(self, fault: LinkFault) -> None:
        """Charge a fault to whom it belongs: an exception 0x0A or 0x0B says that the gateway
        lives and the unit does not; any other exception is an answer of the unit.
        """
        now = asyncio.get_running_loop().time()
        match fault:
            case Lapsed() | Suspended() | Overdue():
                return
            case NotConnected():
                self.gateway.refused(now, fault.until, self._jitter())
            case Refused() if not fault.is_about_unit:
                self._answered()
            case Refused():
                self.gateway.heard()
                self.breaker.fail(now, self._jitter())
            case _:
                self._fell_silent(now)

    def _fell_silent(self, now: float) -> None:
        if not self.gateway.is_open:
            self.breaker.fail(now, self._jitter())
        self.gateway.missed(self, now, self._jitter())
