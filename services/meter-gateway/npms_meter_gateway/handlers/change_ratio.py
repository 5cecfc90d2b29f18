"""Other transformers before a meter: from an instant on its register counts otherwise.

A change of ratio is a reading too: the interval is cut at it, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.domain.reckoning import DecidedReckoning, Reckoning, shown
from npms_meter_gateway.domain.validation import RegisterState, validate_readings
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.keep_readings import keep_readings
from npms_meter_gateway.handlers.register_states import take_register_state
from npms_meter_gateway.storage import readings, reckonings
from npms_shared.actor import Actor
from npms_shared.db import audit_trail


@dataclass(frozen=True, slots=True)
class Ratio:
    """From `from_s` on (epoch seconds), when the meter itself showed `shown_wh`."""

    from_s: int
    ratio: Fraction
    shown_wh: int


async def change_ratio(
    conn: AsyncConnection,
    context: Context,
    installation_id: int,
    ratio: Ratio,
    *,
    by: Actor,
    reason: str,
) -> None:
    """Raises UnknownMeter; Unfit where later readings were accepted, where the register is not
    believed, where one changed in the same second.
    """
    state = await take_register_state(conn, context, installation_id)
    if state is None:
        raise UnknownMeter
    if ratio.from_s < state.at_s:
        raise Unfit("read_since", "later readings were accepted by the ratio before")
    before = state.reckoning.ratio
    now = context.clock.now()
    added = await reckonings.add_reckoning(
        conn,
        installation_id,
        await _begin(conn, context, state, ratio),
        from_s=ratio.from_s,
        by=by.subject,
        reason=reason,
        at=now,
    )
    if not added:
        raise Unfit("moment_taken", "it was reckoned anew from that second on before")
    await audit_trail.note(
        conn,
        by,
        "ratio_changed",
        subject=f"installation:{installation_id}",
        now=now,
        reason=reason,
        before={"ratio": reckonings.exact(before)},
        after={
            "ratio": reckonings.exact(ratio.ratio),
            "from_s": ratio.from_s,
            "register_wh": ratio.shown_wh,
        },
    )


async def list_ratios(conn: AsyncConnection, installation_id: int) -> Sequence[DecidedReckoning]:
    """In the order of their time. Raises UnknownMeter."""
    if not await readings.is_known(conn, installation_id):
        raise UnknownMeter
    return await reckonings.list_reckonings(conn, installation_id)


async def _begin(
    conn: AsyncConnection, context: Context, state: RegisterState, ratio: Ratio
) -> Reckoning:
    """How it is reckoned from then on; the register at that moment is stored and told."""
    if ratio.from_s == state.at_s and not state.has_readings:
        return Reckoning(ratio.shown_wh, state.register_wh, ratio.ratio)
    before = replace(state)
    if ratio.from_s > state.at_s:
        await _read(conn, context, state, ratio)
    raw_wh = before.reckoning.raw(state.register_wh)
    if shown(raw_wh, state.rollover_wh) != ratio.shown_wh:
        raise Unfit("moment_taken", f"it showed {raw_wh} Wh at that moment")
    return Reckoning(raw_wh, state.register_wh, ratio.ratio)


async def _read(
    conn: AsyncConnection, context: Context, state: RegisterState, ratio: Ratio
) -> None:
    validated = validate_readings(
        [state.installation_id],
        [ratio.from_s],
        [ratio.shown_wh],
        register_states={state.installation_id: state},
        latest_s=context.latest_s(),
    )
    if validated.others:
        verdict = validated.others[0]
        raise Unfit("not_believed", f"{verdict.value}: {WORDS[verdict]}")
    await keep_readings(conn, validated.accepted)
    origin = (ratio.from_s, ratio.shown_wh, None)
    await readings.add_origins(conn, state.installation_id, [origin], how="ratio")
