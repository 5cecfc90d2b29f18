"""Other transformers before a meter: from an instant on its register counts otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reckoning import Reckoning, shown
from npms_meter_gateway.domain.validation import RegisterState, validate_readings
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.decide_held import Word
from npms_meter_gateway.handlers.keep_readings import keep_readings
from npms_meter_gateway.handlers.register_states import registers_of, take_register_state
from npms_meter_gateway.storage import readings, reckonings
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


class UnknownMeter(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Ratio:
    """From `from_s` on (epoch seconds), when the meter itself showed `shown_wh`."""

    from_s: int
    ratio: Fraction
    shown_wh: int


class RatioDesk:
    """A change of ratio is a reading too: the interval is cut at it, exactly."""

    def __init__(
        self,
        database: Database,
        profiles: Mapping[str, Profile],
        clock: Clock,
        *,
        future_tolerance_s: int = 300,
    ) -> None:
        self._database, self._clock = database, clock
        self._registers = registers_of(profiles)
        self._tolerance = timedelta(seconds=future_tolerance_s)

    async def change(self, installation_id: int, ratio: Ratio, word: Word) -> None:
        """Raises UnknownMeter; Unfit where later readings were accepted, where the register is not
        believed, where one changed in the same second.
        """
        async with self._database.transaction() as conn:
            state = await take_register_state(conn, installation_id, self._registers)
            if state is None:
                raise UnknownMeter
            if ratio.from_s < state.at_s:
                raise Unfit("read_since", "later readings were accepted by the ratio before")
            reckoning = await self._begin(conn, state, ratio)
            added = await reckonings.add_reckoning(
                conn,
                installation_id,
                reckoning,
                from_s=ratio.from_s,
                by=word.by,
                reason=word.reason,
                at=self._clock.now(),
            )
            if not added:
                raise Unfit("moment_taken", "it was reckoned anew from that second on before")

    async def list_of(self, installation_id: int) -> Sequence[Row[Any]]:
        """In the order of their time. Raises UnknownMeter."""
        async with self._database.connect() as conn:
            if not await readings.is_known(conn, installation_id):
                raise UnknownMeter
            return await reckonings.list_reckonings(conn, installation_id)

    async def _begin(self, conn: AsyncConnection, state: RegisterState, ratio: Ratio) -> Reckoning:
        """How it is reckoned from then on; the register at that moment is stored and told."""
        if ratio.from_s == state.at_s and not state.has_readings:
            return Reckoning(ratio.shown_wh, state.register_wh, ratio.ratio)
        before = replace(state)
        if ratio.from_s > state.at_s:
            await self._read(conn, state, ratio)
        raw_wh = before.reckoning.raw(state.register_wh)
        if shown(raw_wh, state.rollover_wh) != ratio.shown_wh:
            raise Unfit("moment_taken", f"it showed {raw_wh} Wh at that moment")
        return Reckoning(raw_wh, state.register_wh, ratio.ratio)

    async def _read(self, conn: AsyncConnection, state: RegisterState, ratio: Ratio) -> None:
        latest_s = int((self._clock.now() + self._tolerance).timestamp())
        validated = validate_readings(
            [state.installation_id],
            [ratio.from_s],
            [ratio.shown_wh],
            register_states={state.installation_id: state},
            latest_s=latest_s,
        )
        if validated.others:
            verdict = validated.others[0]
            raise Unfit("not_believed", f"{verdict.value}: {WORDS[verdict]}")
        await keep_readings(conn, validated.accepted)
        origin = (ratio.from_s, ratio.shown_wh, None)
        await readings.add_origins(conn, state.installation_id, [origin], how="ratio")
