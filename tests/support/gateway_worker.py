"""A process that does nothing but speak to meters: `python -m tests.support.gateway_worker URL`.

Its settings come as JSON on the command line, so that tests can hurry it.
"""

import asyncio
import json
import signal
import sys
from datetime import datetime

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.polling.operation import Operation
from npms_meter_gateway.profiles import load_profiles
from npms_shared.clock import ScaledClock
from npms_shared.db.engine import Database


async def main(url: str, anchor: str, start: str, interval_s: float, lease_s: float) -> None:
    clock = ScaledClock(
        anchor=datetime.fromisoformat(anchor), start=datetime.fromisoformat(start), speed=600.0
    )
    database, profiles = Database(url, application="npms-test-worker"), load_profiles()
    switching = SwitchingPolicy(first_pause_s=0.2, longest_pause_s=0.4)
    context = Context(database, clock, profiles, switching=switching)
    operation = Operation(
        context=context,
        recorder=ReadingRecorder(context),
        cadence=Cadence(interval_s),
        units=BreakerPolicy(first_pause_s=0.3, longest_pause_s=0.6),
        concurrency=8,
        lease_s=lease_s,
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await operation.run(stopping)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
