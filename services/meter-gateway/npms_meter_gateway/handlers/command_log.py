"""One record per command: written before it leaves, ended by what was seen of it.

Who reads it after a crash sees which commands may have left: those that are `sent`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.commands import Evidence, SupplyCommand, What
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import Desired
from npms_meter_gateway.domain.supplies import Supply
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.guard_openings import may_open
from npms_meter_gateway.storage import commands
from npms_shared.ids import new_id

Ending = Literal["confirmed", "in_vain", "abandoned"]

ACKNOWLEDGED = "acknowledged"
NEVER_SENT = frozenset({"not_connected", "suspended", "lapsed", "other_meter"})
"""Faults by which a command surely did not leave."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer of the meter and when it came: the evidence of a command."""

    at: datetime
    answer: MeterAnswer


@dataclass(frozen=True, slots=True)
class Intention:
    """A command that is about to leave. `opens` tells that it is to open a supply that is not open
    yet.
    """

    supply: Supply
    what: What
    desired: Desired
    before: Seen
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """`command_id` is None where nothing may be sent: a newer revision came, another meter answers,
    or, with `is_stopped`, the gateway opens no more supplies until a person lets it.
    """

    command_id: UUID | None
    is_stopped: bool = False


async def begin_command(conn: AsyncConnection, context: Context, intention: Intention) -> Begun:
    """Note the intention; to be committed right before the command leaves."""
    supply, desired = intention.supply, intention.desired
    if intention.opens and not await may_open(
        conn, context, supply.installation_id, supply.account_id
    ):
        return Begun(None, is_stopped=True)
    command_id = new_id()
    holds = await commands.begin(
        conn,
        command_id,
        supply.installation_id,
        revision=desired.revision,
        what=intention.what,
        state=desired.state,
        limit_w=desired.limit_w,
        before=_evidence(intention.before),
        now=context.clock.now(),
    )
    return Begun(command_id if holds else None)


async def note_answer(
    conn: AsyncConnection, context: Context, command_id: UUID, answer: str
) -> None:
    """It was acknowledged, or not for this cause; one that never left is abandoned."""
    life = "acknowledged" if answer == ACKNOWLEDGED else "unanswered"
    if answer in NEVER_SENT:
        life = "abandoned"
    now = context.clock.now()
    await commands.answered(conn, command_id, life=life, answer=answer, now=now)


async def close_commands(
    conn: AsyncConnection,
    installation_id: int,
    revision: int,
    ending: Ending,
    after: Sequence[Seen] = (),
    *,
    now: datetime,
) -> None:
    """End every open command of an installation, as after a crash, by what is seen now; older
    revisions' are superseded.
    """
    closed = await commands.close(
        conn,
        installation_id,
        revision=revision,
        life=ending,
        after=[_evidence(seen) for seen in after],
        now=now,
    )
    for ended in closed:
        metrics.COMMANDS.labels(what=ended.what, state=ended.state, life=ended.life).inc()


async def list_commands(
    conn: AsyncConnection, installation_id: int, *, before: UUID | None, limit: int
) -> Sequence[SupplyCommand]:
    """The newest first."""
    return await commands.page(conn, installation_id, before=before, limit=limit)


def _evidence(seen: Seen) -> Evidence:
    answer = seen.answer
    return {
        "at": seen.at.isoformat(),
        "relay": answer.relay,
        "power_w": answer.power_w,
        "limit_w": answer.limit_w,
        "armed": answer.armed,
        "fault": answer.relay_fault,
    }
