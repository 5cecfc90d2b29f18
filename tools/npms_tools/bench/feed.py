"""Readings handed to the gateway's store as its pollers would: at full speed, or at a pace."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from npms_meter_gateway.handlers.record_readings import Readings
from npms_tools.bench.probe import Probe
from npms_tools.bench.seeding import OPENING_WH

CHUNK = 4_000
INTERVAL_S = 900
STEPS = 4_096
"""Different amounts of energy between two readings; drawn before the clock runs."""

Record = Callable[[Readings], Awaitable[int]]
"""Stores readings and returns how many were accepted."""


@dataclass
class Feed:
    """Sweeps over all installations, each a quarter of an hour after the last."""

    installations: int
    began_s: int

    def __post_init__(self) -> None:
        chance = random.Random(42)
        self._steps = [chance.randrange(20, 400) for _ in range(STEPS)]
        self._registers = [OPENING_WH] * (self.installations + 1)
        self._chunks = self._all_chunks()
        self.accepted = 0

    async def run(
        self,
        record: Record,
        *,
        seconds: float,
        outstanding: Callable[[], int],
        bound: int,
        per_second: float | None = None,
        chunk: int = CHUNK,
        probe: Probe | None = None,
    ) -> float:
        """Feed for so long; returns how long it really was.

        Never more than `bound` readings between store and balance; with
        `per_second` no faster than that.
        """
        began, fed = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            ahead = per_second is not None and fed > passed * per_second
            if ahead or outstanding() > bound:
                await asyncio.sleep(0.002)
                continue
            readings = self.next_chunk(chunk)
            if probe is not None:
                await probe.begin(readings.installation_id[-1])
            taken = await record(readings)
            fed += taken
            self.accepted += taken
        return time.perf_counter() - began

    def next_chunk(self, size: int) -> Readings:
        ids, times, registers = [], [], []
        for installation_id, at_s in self._take(size):
            step = self._steps[(installation_id * 31 + at_s // INTERVAL_S) % STEPS]
            self._registers[installation_id] += step
            ids.append(installation_id)
            times.append(at_s)
            registers.append(self._registers[installation_id])
        return Readings(ids, times, registers)

    def _take(self, size: int) -> Iterator[tuple[int, int]]:
        for _ in range(size):
            yield next(self._chunks)

    def _all_chunks(self) -> Iterator[tuple[int, int]]:
        sweep = 0
        while True:
            sweep += 1
            at_s = self.began_s + sweep * INTERVAL_S
            for installation_id in range(1, self.installations + 1):
                yield installation_id, at_s
