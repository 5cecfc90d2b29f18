"""Stored states made ready for rating."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.state import RatingState
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.storage import states
from npms_tariff.storage.states import StoredState


async def load_states(
    conn: AsyncConnection, catalogue: Catalogue, ids: Sequence[int]
) -> dict[int, RatingState]:
    """By installation; unknown ones are missing."""
    stored = await states.load_states(conn, ids)
    return {one.installation_id: revive(one, catalogue) for one in stored}


def revive(stored: StoredState, catalogue: Catalogue) -> RatingState:
    """The state as it was when it was saved."""
    state = RatingState(
        stored.installation_id,
        account_id=stored.account_id,
        currency=stored.currency,
        calendar=catalogue.calendar(stored.plan_code, stored.time_zone),
        register_wh=stored.register_wh,
        read_at_s=stored.read_at_s,
    )
    if stored.closed_at_s is not None:
        state.ends_s = stored.closed_at_s
    state.version, state.rated_wh = stored.version, stored.rated_wh
    state.charged_micro, state.readings_billed = stored.charged_micro, stored.readings_billed
    state.plan_version_id, state.month, state.days = (
        stored.plan_version_id, stored.month, stored.days,
    )  # fmt: skip
    state.paid_until_s, state.slots = stored.paid_until_s, stored.slots
    state.hour_s, state.hour_wh, state.hour_micro = (
        stored.hour_s, stored.hour_wh, stored.hour_micro,
    )  # fmt: skip
    tariff = catalogue.tariff(stored)
    if tariff is not None:
        state.resume(tariff)
    return state
