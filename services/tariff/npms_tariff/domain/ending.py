"""Where rating of an installation ends: never before what was rated."""

from npms_tariff.domain.state import RatingState


def last_point(state: RatingState, closed_s: int, register_wh: int) -> tuple[int, int]:
    """(time in seconds, register) up to which a closed installation is rated.

    A register below the rated one was asked for without what was under way: the rated one stands.
    So it does where a reading later than the closing was rated; a closing register in the very
    second of the last reading is rated in the next one.
    """
    if closed_s < state.read_at_s:
        return state.read_at_s, state.register_wh
    register_wh = max(register_wh, state.register_wh)
    if closed_s == state.read_at_s and register_wh > state.register_wh:
        closed_s += 1
    return closed_s, register_wh
