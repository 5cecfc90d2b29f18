"""What becomes of what lines deliver: buffered, told of, or looked at more closely."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import raise_event, report_gateway_lost, report_link
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.polling.backfill import Backfill
from npms_meter_gateway.polling.hooks import Hooks, SlowPollResult
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.poll_buffer import PollBuffer
from npms_meter_gateway.polling.return_check import ReturnCheck
from npms_meter_gateway.polling.slow_poll import SlowPoll
from npms_meter_gateway.polling.stuck_register_watch import StuckRegisterWatch
from npms_meter_gateway.polling.transactions import in_transaction

SLOW_POLLS_AT_A_TIME = 4
"""After a start every meter has its slow poll; the database has other things to do besides."""


def build_hooks(
    context: Context,
    recorder: ReadingRecorder,
    poll_buffer: PollBuffer,
    stuck_watch: StuckRegisterWatch,
) -> Hooks:
    """The hooks that all lines of a process share."""
    reports = _Reports(context)
    slow_polls, few = SlowPoll(context), asyncio.Semaphore(SLOW_POLLS_AT_A_TIME)

    async def slow_poll(result: SlowPollResult) -> None:
        async with few:
            await slow_polls.slow_poll(result)

    return Hooks(
        saw=poll_buffer.put,
        link_changed=reports.link_changed,
        refused=reports.point_refused,
        gateway_lost=reports.gateway_lost,
        slow_poll=slow_poll,
        returned=ReturnCheck(context, Backfill(context, recorder)).returned,
        delivered=stuck_watch.observe,
    )


@dataclass(frozen=True, slots=True)
class _Reports:
    """Hooks by which people are told."""

    context: Context

    async def link_changed(self, meter: Meter, is_reachable: bool, detail: str) -> None:  # noqa: FBT001
        await in_transaction(
            self.context,
            report_link,
            installation_id=meter.installation_id,
            account_id=meter.account_id,
            is_reachable=is_reachable,
            detail=detail,
        )

    async def point_refused(self, meter: Meter, name: str) -> None:
        await in_transaction(
            self.context,
            raise_event,
            installation_id=meter.installation_id,
            account_id=meter.account_id,
            kind="point_refused",
            detail=f"the meter does not serve {name}",
        )

    async def gateway_lost(self, meters: Sequence[Meter], detail: str) -> None:
        accounts = {meter.installation_id: meter.account_id for meter in meters}
        await in_transaction(self.context, report_gateway_lost, accounts, detail=detail)
