"""One meter on a line: when it is left alone, and what its answers mean to us."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy
from npms_meter_gateway.domain.decoding import whole
from npms_meter_gateway.domain.profile import (
    ENERGY,
    LOAD_LIMIT,
    POWER,
    RELAY,
    VOLTAGE,
    Profile,
)
from npms_meter_gateway.domain.reconciling import Sight
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.drivers.driver import Driver, Priority
from npms_meter_gateway.drivers.errors import LinkFault, NotConnected, Refused

POLLED = frozenset({ENERGY, POWER, VOLTAGE, RELAY})
LOOKED_AT = frozenset({RELAY, LOAD_LIMIT, POWER})

T = TypeVar("T")


class Suspended(LinkFault):
    """The unit did not answer lately and is left alone until `until` (loop time)."""

    cause = "suspended"

    def __init__(self, until: float) -> None:
        super().__init__("left alone after silence")
        self.until = until


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought; None for what the meter does not tell."""

    register_wh: int | None
    power_w: int | None
    voltage_mv: int | None
    relay: Literal["on", "off", "unknown"] | None


class Unit:
    """A driver and its breaker, which counts silence, not refusals."""

    def __init__(
        self,
        driver: Driver,
        profile: Profile,
        policy: BreakerPolicy,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.driver, self.profile = driver, profile
        self.breaker = Breaker(policy)
        self._jitter = jitter

    async def poll(self, priority: Priority = Priority.BILLING) -> Polled:
        """Energy, power, voltage and relay, in as few reads as the meter allows."""
        shown = await self._guarded(lambda: self.driver.read(POLLED, priority))
        voltage = shown.values.get(VOLTAGE)
        return Polled(
            register_wh=_whole(shown.values.get(ENERGY)),
            power_w=_whole(shown.values.get(POWER)),
            voltage_mv=None if voltage is None else whole(voltage * 1000),
            relay=shown.relay,
        )

    async def look(self) -> Sight:
        """The relay's state, the load limit and the power that flows, ahead of all polls."""
        shown = await self._guarded(lambda: self.driver.read(LOOKED_AT, Priority.READ_BACK))
        return Sight(shown.relay or "unknown", _whole(shown.values.get(POWER)), shown.limit_w)

    async def switch(self, state: State) -> None:
        """Send the command once; that it was acknowledged proves nothing."""
        await self._guarded(lambda: self.driver.switch(state))

    async def limit(self, limit_w: int | None) -> None:
        """Write the load limit once; None takes it away."""
        await self._guarded(lambda: self.driver.limit(limit_w))

    async def _guarded(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer; Suspended while the breaker is open, other LinkFaults as they come."""
        loop = asyncio.get_running_loop()
        if not self.breaker.allows(loop.time()):
            raise Suspended(self.breaker.closed_to)
        try:
            answer = await ask()
        except NotConnected:
            raise
        except LinkFault as fault:
            if isinstance(fault, Refused) and not fault.is_about_unit:
                self.breaker.succeed()
            else:
                self.breaker.fail(loop.time(), self._jitter())
            raise
        self.breaker.succeed()
        return answer


def _whole(value: Fraction | None) -> int | None:
    return None if value is None else whole(value)
