"""A meter that speaks DL/T 645-2007: each point is asked for by its data identifier."""

from collections.abc import Collection
from fractions import Fraction

from npms_meter_gateway.domain.bcd import decode_bcd
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.profile import RELAY, Profile
from npms_meter_gateway.domain.relay import ReadBack, State
from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.dlt645.pdus import (
    CLOSE,
    PERMIT_CLOSE,
    TRIP,
    Control,
    ReadData,
)
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import Refused
from npms_meter_gateway.drivers.line.framing import LineRequest

STATUS_OCTETS = 2
IS_OPEN, IS_TRIPPED = 1 << 4, 1 << 6
"""Of running status word 3: where the relay stands, and what it was last told."""
CLOSED, OPEN, AWAITS_CUSTOMER = 0, 1, 2


class Dlt645Driver:
    """`address` is the meter's number of 12 digits. A point that it refuses is dropped."""

    def __init__(self, bus: Bus, address: int, profile: Profile, access: Access) -> None:
        self.bus, self.address, self.profile, self._access = bus, address, profile, access
        self.refused: list[str] = []

    async def read(self, names: Collection[str], priority: Priority) -> MeterAnswer:
        values: dict[str, Fraction] = {}
        for name, point in self.profile.points.items():
            if name not in names:
                continue
            raw = await self._ask_for(name, point.address, point.type.octets, priority)
            value = None if raw is None else decode_bcd(point, raw)
            if value is not None:
                values[name] = value
        seen, back = None, self._read_back()
        if back is not None and RELAY in names:
            seen = await self._ask_for(RELAY, back.address, STATUS_OCTETS, priority)
        if back is None or seen is None:
            return MeterAnswer(values)
        state = _relay_word(seen)
        return MeterAnswer(values, relay=back.state_of(state), armed=state == back.armed)

    async def switch(self, state: State) -> None:
        relay = self.profile.relay
        assert relay is not None
        close = PERMIT_CLOSE if relay.local_reclose else CLOSE
        await self._ask(Control(close if state == "on" else TRIP, self._access), _SWITCH)

    async def limit(self, limit_w: int | None) -> None:
        """Raises NotImplementedError: nothing asks for it."""
        raise NotImplementedError("no profile of this driver has a load limit")

    def _read_back(self) -> ReadBack | None:
        return self.profile.relay.read_back if self.profile.relay else None

    async def _ask_for(
        self, name: str, data_id: int, octets: int, priority: Priority
    ) -> int | None:
        if name in self.refused:
            return None
        try:
            return (await self._ask(ReadData(data_id, octets), priority))[0]
        except Refused as fault:
            if not fault.is_about_registers:
                raise
            self.refused.append(name)
            return None

    async def _ask(self, request: LineRequest, priority: Priority) -> tuple[int, ...]:
        timeout_s = self.profile.limits.timeout_ms / 1000
        return await self.bus.ask(self.address, request, timeout_s=timeout_s, priority=priority)


_SWITCH = Priority.RELAY_WRITE


def _relay_word(status: int) -> int:
    """Open, though last told to close: the customer has yet to press."""
    if not status & IS_OPEN:
        return CLOSED
    return OPEN if status & IS_TRIPPED else AWAITS_CUSTOMER
