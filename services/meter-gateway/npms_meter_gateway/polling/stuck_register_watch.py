"""Whether a register counts what flows, watched at each poll."""

from npms_meter_gateway.domain.stuck_register import RegisterWatch
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.handlers.slow_poll_records import installation_of, note_conditions
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.transactions import in_transaction

STUCK = "stuck_register"


class StuckRegisterWatch:
    """A hook of a line: `delivered`.

    What it remembers is gone with the process, but not which alarms are open: `stuck` has those
    installations.
    """

    def __init__(self, context: Context, stuck: set[int]) -> None:
        self._context, self._stuck = context, stuck
        self._seen: dict[int, RegisterWatch] = {}

    async def observe(self, meter: Meter, sight: MeterSight) -> None:
        register_wh, power_w = sight.answer.register_wh, sight.answer.power_w
        if register_wh is None or power_w is None:
            return
        seen = self._seen.setdefault(meter.installation_id, RegisterWatch())
        moved = seen.observe(sight.seen_at.timestamp(), register_wh, power_w)
        is_stuck = meter.installation_id in self._stuck
        if is_stuck and moved:
            await self._settle(meter, {})
        elif not is_stuck and seen.is_stuck(meter.unit.profile.resolution_wh):
            detail = f"{power_w} W flow, {register_wh} Wh stand still"
            await self._settle(meter, {STUCK: detail})

    async def _settle(self, meter: Meter, found: dict[str, str]) -> None:
        await in_transaction(self._context, note_conditions, installation_of(meter), {STUCK}, found)
        (self._stuck.add if found else self._stuck.discard)(meter.installation_id)
