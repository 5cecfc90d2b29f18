"""One record per command: written before it leaves, ended by what was seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import Desired
from npms_meter_gateway.handlers.block_supply import Supply
from npms_meter_gateway.handlers.guard_openings import OpeningGuard
from npms_meter_gateway.storage import commands
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.ids import new_id

What = Literal["relay", "load_limit"]
Ending = Literal["confirmed", "in_vain", "abandoned"]

ACKNOWLEDGED = "acknowledged"
NEVER_SENT = frozenset({"not_connected", "suspended", "lapsed", "other_meter"})
"""Faults by which a command surely did not leave."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer of the meter and when it came: the evidence of a command."""

    at: datetime
    answer: MeterAnswer


class OpeningStopped(Exception):
    """The gateway opens no more supplies until a person lets it."""


class CommandLog:
    """Who reads it after a crash sees which commands may have left: those that are `sent`."""

    def __init__(self, database: Database, clock: Clock, guard: OpeningGuard) -> None:
        self._database, self._clock, self._guard = database, clock, guard

    async def begin(
        self, supply: Supply, what: What, desired: Desired, before: Seen, *, opens: bool = False
    ) -> UUID | None:
        """Commit the intention, right before the command leaves; None if it does not hold any more
        (a newer revision came, or another meter answers), and nothing may be sent. `opens` tells
        that it is to open a supply that is not open yet. Raises OpeningStopped.
        """
        command_id, installation_id = new_id(), supply.installation_id
        async with self._database.transaction() as conn:
            is_stopped = opens and not await self._guard.may_open(
                conn, installation_id, supply.account_id
            )
            holds = not is_stopped and await commands.begin(
                conn,
                command_id,
                installation_id,
                revision=desired.revision,
                what=what,
                state=desired.state,
                limit_w=desired.limit_w,
                before=_evidence(before),
                now=self._clock.now(),
            )
        if is_stopped:
            raise OpeningStopped
        return command_id if holds else None

    async def answered(self, command_id: UUID, answer: str) -> None:
        """It was acknowledged, or not for this cause; one that never left is abandoned."""
        life = "acknowledged" if answer == ACKNOWLEDGED else "unanswered"
        if answer in NEVER_SENT:
            life = "abandoned"
        async with self._database.transaction() as conn:
            await commands.answered(
                conn, command_id, life=life, answer=answer, now=self._clock.now()
            )

    async def settle(
        self, installation_id: int, revision: int, ending: Ending, after: Sequence[Seen]
    ) -> None:
        """End what was left open, as after a crash, by what is seen now."""
        async with self._database.transaction() as conn:
            await close_commands(
                conn, installation_id, revision, ending, after, now=self._clock.now()
            )


async def close_commands(
    conn: AsyncConnection,
    installation_id: int,
    revision: int,
    ending: Ending,
    after: Sequence[Seen] = (),
    *,
    now: datetime,
) -> None:
    """End every open command of an installation; older revisions' are superseded."""
    closed = await commands.close(
        conn,
        installation_id,
        revision=revision,
        life=ending,
        after=[_evidence(seen) for seen in after],
        now=now,
    )
    for row in closed:
        metrics.COMMANDS.labels(what=row.what, state=row.state, life=row.life).inc()


async def list_commands(
    conn: AsyncConnection, installation_id: int, *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest first."""
    return await commands.page(conn, installation_id, before=before, limit=limit)


def _evidence(seen: Seen) -> commands.Evidence:
    answer = seen.answer
    return {
        "at": seen.at.isoformat(),
        "relay": answer.relay,
        "power_w": answer.power_w,
        "limit_w": answer.limit_w,
        "armed": answer.armed,
        "fault": answer.relay_fault,
    }
