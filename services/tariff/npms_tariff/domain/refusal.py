"""Why a reading is not rated but kept aside. None of these loses energy: the next good reading
is rated from the last one that was.

A register below the last rated one puts the installation on billing hold: what comes then is
kept aside until a person has released it.
"""

from npms_tariff.domain.state import RatingState

UNKNOWN_INSTALLATION = "unknown_installation"
ACCOUNT_MISMATCH = "account_mismatch"
IN_FUTURE = "in_future"
DUPLICATE = "duplicate"
LATE = "late"
AFTER_CLOSING = "after_closing"
REGISTER_BACKWARDS = "register_backwards"
NO_PLAN = "no_plan"
ON_HOLD = "on_hold"

HELD_S = -1
"""As the end of an installation: no reading is so early, so that a hold costs good readings
nothing."""

REASONS = (
    UNKNOWN_INSTALLATION,
    ACCOUNT_MISMATCH,
    IN_FUTURE,
    DUPLICATE,
    LATE,
    AFTER_CLOSING,
    REGISTER_BACKWARDS,
    NO_PLAN,
    ON_HOLD,
)


def reason_against(
    state: RatingState | None, *, account_id: int, at_s: int, register_wh: int, horizon_s: int
) -> str | None:
    """Why this reading cannot be rated; None where it can, as far as the reading goes.

    `horizon_s` is the latest time a reading may carry.
    """
    if state is None:
        return UNKNOWN_INSTALLATION
    if state.account_id != account_id:
        return ACCOUNT_MISMATCH
    if at_s > horizon_s:
        return IN_FUTURE
    if at_s == state.read_at_s and register_wh == state.register_wh:
        return DUPLICATE
    if at_s <= state.read_at_s:
        return LATE
    if state.ends_s == HELD_S:
        return ON_HOLD
    if at_s > state.ends_s:
        return AFTER_CLOSING
    return REGISTER_BACKWARDS if register_wh < state.register_wh else None
