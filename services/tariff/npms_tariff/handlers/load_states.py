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
    return {state.installation_id: state_of(state, catalogue) for state in stored}


def state_of(stored: StoredState, catalogue: Catalogue) -> RatingState:
    """The state as it was when it was saved."""
    state = RatingState(
        stored.installation_id,
        account_id=stored.account_id,
        currency=stored.currency,
        calendar=catalogue.calendar(stored),
        register_wh=stored.values["register_wh"],
        read_at_s=stored.values["read_at_s"],
        connected_w=stored.connected_w,
    )
    if stored.closed_at_s is not None:
        state.ends_s = stored.closed_at_s
    for name, value in stored.values.items():
        setattr(state, name, value)
    tariff = catalogue.tariff(stored)
    if tariff is not None:
        state.resume(tariff)
    return state
