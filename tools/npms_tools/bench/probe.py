"""Latency as an account sees it: from handing over a reading to seeing its posting committed."""

import asyncio
import time
from dataclasses import dataclass, field

import asyncpg

LOOK_S = 0.002
"""How often the ledger is asked; latencies are that coarse."""


@dataclass
class Probe:
    """Watches a few accounts; `begin` when their reading is handed over."""

    ledger_url: str
    account_ids: list[int]
    latencies_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begun: dict[int, tuple[float, int]] = {}
        self._seq: dict[int, int] = {}
        self.watched = frozenset(self.account_ids)

    async def run(self, stopping: asyncio.Event) -> None:
        conn = await asyncpg.connect(self.ledger_url)
        try:
            ask = await conn.prepare(
                "SELECT account_id, seq FROM position WHERE account_id = ANY($1)"
            )
            while not stopping.is_set():
                self._seen(await ask.fetch(self.account_ids), time.perf_counter())
                await asyncio.sleep(LOOK_S)
        finally:
            await conn.close()

    def begin(self, account_id: int) -> None:
        """Its next posting ends the measurement; one at a time for an account."""
        if account_id not in self._begun and account_id in self._seq:
            self._begun[account_id] = (time.perf_counter(), self._seq[account_id])

    def _seen(self, rows: list[asyncpg.Record], now: float) -> None:
        for account_id, seq in rows:
            self._seq[account_id] = seq
            began = self._begun.get(account_id)
            if began is not None and seq > began[1]:
                self.latencies_ms.append((now - began[0]) * 1000)
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
