"""A meter's register state, and what the next reading of it is judged to be."""

from dataclasses import replace

from npms_meter_gateway.domain.validation import RegisterState, Verdict, validate_readings

T0 = 1_800_000_000
QUARTER_S = 900
U32_OF_10_WH = 42_949_672_960


def register_state(**changes: object) -> RegisterState:
    """1,000 kWh at T0, counted in 10 Wh up to 32 bits, unless changed."""
    base = RegisterState(
        installation_id=1,
        account_id=10,
        partition=3,
        at_s=T0,
        register_wh=1_000_000,
        max_power_w=9_200,
        resolution_wh=10,
        rollover_wh=U32_OF_10_WH,
        has_readings=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def verdict_of(
    known: RegisterState, shown_wh: int, *, after_s: int = QUARTER_S, latest_s: int = T0 + 10**8
) -> Verdict:
    """The verdict on a reading so many seconds later; an accepted one moves the state."""
    validated = validate_readings(
        [1], [known.at_s + after_s], [shown_wh], register_states={1: known}, latest_s=latest_s
    )
    return validated.others.get(0, Verdict.ACCEPTED)
