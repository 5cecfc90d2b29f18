"""A register state that we hold: nobody else writes its readings until the transaction ends."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.validation import RegisterState
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import readings

Registers = dict[str, tuple[int, int | None]]
"""(resolution, modulus) in Wh, by profile."""


def registers_of(profiles: Mapping[str, Profile]) -> Registers:
    return {p.code: (p.resolution_wh, p.rollover_wh) for p in profiles.values()}


async def take_register_state(
    conn: AsyncConnection, context: Context, installation_id: int
) -> RegisterState | None:
    """Where it stands, with its partition's turn; None for an installation nobody knows.

    Whoever has it in memory finds that out of date.
    """
    registers = registers_of(context.profiles)
    found = await readings.load_register_states(conn, [installation_id], registers=registers)
    if not found:
        return None
    await readings.take_turns(conn, [found[0].partition])
    (state,) = await readings.load_register_states(conn, [installation_id], registers=registers)
    return state
