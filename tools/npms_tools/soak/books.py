"""What the gateway stored of a soak, read from its database."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

Moment = tuple[float, int]
"""(epoch seconds, register in Wh)"""


@dataclass(frozen=True, slots=True)
class Held:
    held_id: int
    installation_id: int
    at_s: float
    shown_wh: int
    reason: str
    state: str


class Books:
    """One connection to the gateway's database."""

    def __init__(self, conn: "asyncpg.Connection[Any]") -> None:
        self._conn = conn

    @classmethod
    async def open(cls, url: str) -> "Books":
        return cls(await asyncpg.connect(url))

    async def close(self) -> None:
        await self._conn.close()

    async def count(self, what: str) -> int:
        """A count by a fixed query of this module's."""
        return int(await self._conn.fetchval(_COUNTS[what]))

    async def installations(self) -> int:
        return await self.count("installations")

    async def readings(self) -> dict[int, list[Moment]]:
        """All accepted readings in order, by installation."""
        found: dict[int, list[Moment]] = defaultdict(list)
        for row in await self._conn.fetch(_READINGS):
            found[row["installation_id"]].append((row["at_s"], row["register_wh"]))
        return found

    async def held(self) -> list[Held]:
        return [Held(**dict(row)) for row in await self._conn.fetch(_HELD)]

    async def read_since(self, at_s: float) -> int:
        """How many installations have an accepted reading since, or a held one that waits."""
        return int(await self._conn.fetchval(_READ_SINCE, at_s))

    async def unsettled(self) -> Sequence[asyncpg.Record]:
        """Supplies not where they should be, with why the gateway says so."""
        return await self._conn.fetch(_UNSETTLED)


_COUNTS = {
    "installations": "SELECT count(*) FROM installation",
    "readings": "SELECT count(*) FROM reading",
    "held": "SELECT count(*) FROM held_reading",
    "alarms": "SELECT count(*) FROM alarm WHERE cleared_at IS NULL",
    "events": "SELECT count(*) FROM meter_event",
    "off": "SELECT count(*) FROM supply WHERE desired_state = 'off'",
    "unreachable": "SELECT count(*) FROM meter_state WHERE link = 'unreachable'",
}
_READINGS = """
    SELECT installation_id, extract(epoch FROM taken_at)::float8 AS at_s, register_wh
    FROM reading ORDER BY installation_id, taken_at
"""
_HELD = """
    SELECT held_id, installation_id, extract(epoch FROM taken_at)::float8 AS at_s,
           register_wh::bigint AS shown_wh, reason, state
    FROM held_reading ORDER BY held_id
"""
_READ_SINCE = """
    SELECT count(*) FROM installation i WHERE EXISTS (
        SELECT FROM reading r WHERE r.installation_id = i.installation_id
        AND r.taken_at >= to_timestamp($1)
    ) OR EXISTS (
        SELECT FROM held_reading h WHERE h.installation_id = i.installation_id
        AND h.taken_at >= to_timestamp($1) AND h.state = 'held'
    )
"""
_UNSETTLED = """
    SELECT installation_id, desired_state, reported_state, reported_verified, reported_detail,
           attempts
    FROM supply WHERE NOT settled AND desired_state IS DISTINCT FROM reported_state
    ORDER BY installation_id
"""
