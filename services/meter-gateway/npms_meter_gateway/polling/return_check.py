"""A meter is back, or heard for the first time: who it is, what it kept, before what it shows."""

import structlog

from npms_meter_gateway.drivers.line.errors import LinkFault, Refused
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_meter_gateway.polling.backfill import Backfill
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.transactions import in_transaction

TRIES = 3
"""How often a meter may fail here before it is read without that."""

log = structlog.get_logger()


class ReturnCheck:
    """A hook of a line: `returned`."""

    def __init__(self, context: Context, backfill: Backfill) -> None:
        self._context, self._backfill = context, backfill
        self._failed: dict[int, int] = {}

    async def returned(self, meter: Meter) -> None:
        """A LinkFault takes back that the meter is there, so that it is tried again."""
        failed = self._failed.pop(meter.installation_id, 0)
        if failed >= TRIES:
            log.warning("read_without_its_past", serial=meter.serial)
            return
        try:
            if await self._is_the_one_known(meter):
                await self._backfill.fill(meter)
        except Refused as fault:
            log.info("past_refused", serial=meter.serial, fault=str(fault))
        except LinkFault:
            self._failed[meter.installation_id] = failed + 1
            raise

    async def _is_the_one_known(self, meter: Meter) -> bool:
        """Before anything that it shows is recorded: a meter may have been exchanged meanwhile."""
        serial = await meter.unit.serial_number()
        return serial is None or await in_transaction(
            self._context,
            note_serial,
            installation_id=meter.installation_id,
            account_id=meter.account_id,
            serial=serial,
        )
