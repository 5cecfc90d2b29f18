"""Latency as an account sees it: from handing over a reading to seeing its posting committed."""

import asyncio
import time
from dataclasses import dataclass, field

import asyncpg

LOOK_S = 0.002
"""How often the ledger is asked; latencies are that coarse."""

_ASK = "SELECT account_id, seq FROM position WHERE account_id = ANY($1::bigint[])"


@dataclass
class Probe:
    """Watches one account of each batch, from before it is handed over."""

    ledger_url: str
    latencies_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begun: dict[int, tuple[float, int]] = {}
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask for the watched accounts again and again; what has moved on is measured."""
        self._conn = await asyncpg.connect(self.ledger_url)
        try:
            while not stopping.is_set():
                if self._begun:
                    rows = await self._ask(list(self._begun))
                    self._seen(rows, time.perf_counter())
                await asyncio.sleep(LOOK_S)
        finally:
            await self._conn.close()

    async def begin(self, account_id: int) -> None:
        """Its next posting ends the measurement that begins when this returns."""
        if self._conn is None or account_id in self._begun:
            return
        ((_, seq),) = await self._ask([account_id])
        self._begun[account_id] = (time.perf_counter(), seq)

    async def _ask(self, account_ids: list[int]) -> list[asyncpg.Record]:
        assert self._conn is not None
        async with self._turn:
            return await self._conn.fetch(_ASK, account_ids)

    def _seen(self, rows: list[asyncpg.Record], now: float) -> None:
        for account_id, seq in rows:
            began, before = self._begun[account_id]
            if seq > before:
                self.latencies_ms.append((now - began) * 1000)
                del self._begun[account_id]


def quantiles(latencies_ms: list[float]) -> dict[str, float]:
    """p50, p90, p99, the highest, and how many."""
    if not latencies_ms:
        return {"count": 0}
    ordered = sorted(latencies_ms)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {
        "count": len(ordered),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "max_ms": round(ordered[-1], 1),
    }
