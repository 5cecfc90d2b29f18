"""Which readings are believed. Runs for every reading of every meter, so it is one flat loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from npms_meter_gateway.domain.reckoning import PLAIN, Reckoning, unrolled

CLOCK_SLACK_S = 60
"""How far the moment a register was latched may lie from the moment noted for it."""
OPENING_SLACK_S = 3600
"""The opening register was noted by a person or a system some time before the opening."""
JITTER_STEPS = 2
MAX_REGISTER_WH = 1 << 62
ALWAYS_CHECKED_W = -1
"""As the power of an installation: nothing moves so little, so that what needs a closer check costs
the others nothing."""


class Verdict(StrEnum):
    """What became of a reading. Only `accepted` is stored and told; `unchanged` and `duplicate`
    are nothing new; all others are held with their name as the reason, but `unknown_serial`
    and `polled_meter`: they are not kept, and their sender is told.
    """

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    BACKWARDS = "backwards"
    JUMP = "jump"
    LATE = "late"
    FUTURE = "future"
    CLOSED = "closed"
    OUT_OF_RANGE = "out_of_range"
    FOREIGN_METER = "foreign_meter"
    UNKNOWN_INSTALLATION = "unknown_installation"
    UNKNOWN_SERIAL = "unknown_serial"
    POLLED_METER = "polled_meter"


NOTHING_NEW = frozenset({Verdict.ACCEPTED, Verdict.UNCHANGED, Verdict.DUPLICATE})


@dataclass(slots=True)
class RegisterState:
    """An installation's last accepted reading, and what the next must obey.

    `register_wh` is the validated register: by `reckoning` of the meter's own, whose modulus is
    `rollover_wh`. Before the first reading it is the opening register. `is_foreign` while the
    meter that answers is not believed to be the one installed.
    """

    installation_id: int
    account_id: int
    partition: int
    at_s: int
    register_wh: int
    max_power_w: int
    resolution_wh: int = 1
    rollover_wh: int | None = None
    has_readings: bool = False
    closed: bool = False
    reckoning: Reckoning = PLAIN
    is_foreign: bool = False
    unchecked_up_to_w: int = field(init=False)
    """`max_power_w` where the quick way will do."""

    def __post_init__(self) -> None:
        plain = self.reckoning.is_plain and not (self.closed or self.is_foreign)
        self.unchecked_up_to_w = self.max_power_w if plain else ALWAYS_CHECKED_W


Columns = tuple[list[int], list[int], list[int], list[int]]
"""installation_id, account_id, taken_at_s, register_wh: of one partition, in order."""


@dataclass(slots=True)
class ValidatedReadings:
    """`accepted` by partition, `others` by index into what was given."""

    accepted: dict[int, Columns] = field(default_factory=dict)
    others: dict[int, Verdict] = field(default_factory=dict)


def validate_readings(
    installation_ids: list[int],
    taken_at_s: list[int],
    registers_wh: list[int],
    *,
    register_states: Mapping[int, RegisterState],
    latest_s: int,
) -> ValidatedReadings:
    """Judge readings in the given order and move the states of those accepted.

    `register_states` holds every installation that is known. A reading after `latest_s`
    is in the future. 1.2 times the fuse's power over the time since the last
    reading is the most a register can have moved: 1.2 W·s = 1/3000 Wh.
    """
    validated = ValidatedReadings()
    accepted = validated.accepted
    for index, (installation_id, at_s, register_wh) in enumerate(
        zip(installation_ids, taken_at_s, registers_wh, strict=True)
    ):
        state = register_states.get(installation_id)
        if state is None:
            validated.others[index] = Verdict.UNKNOWN_INSTALLATION
            continue
        took_s = at_s - state.at_s
        moved_wh = register_wh - state.register_wh
        if (
            took_s <= 0
            or moved_wh < 0
            or moved_wh * 3000 > state.unchecked_up_to_w * (took_s + CLOCK_SLACK_S)
            or at_s > latest_s
            or register_wh > MAX_REGISTER_WH
        ):
            verdict, register_wh = _verdict_of(state, at_s, register_wh, latest_s)  # noqa: PLW2901
            if verdict is not Verdict.ACCEPTED:
                validated.others[index] = verdict
                continue
        state.at_s, state.register_wh, state.has_readings = at_s, register_wh, True
        columns = accepted.get(state.partition)
        if columns is None:
            columns = accepted[state.partition] = ([], [], [], [])
        columns[0].append(installation_id)
        columns[1].append(state.account_id)
        columns[2].append(at_s)
        columns[3].append(register_wh)
    return validated


def _verdict_of(
    state: RegisterState, at_s: int, shown_wh: int, latest_s: int
) -> tuple[Verdict, int]:
    """The verdict on a reading that is not plainly good, and its validated register."""
    if not 0 <= shown_wh <= MAX_REGISTER_WH:
        return Verdict.OUT_OF_RANGE, shown_wh
    if state.closed:
        return Verdict.CLOSED, shown_wh
    if state.is_foreign:
        return Verdict.FOREIGN_METER, shown_wh
    if at_s > latest_s:
        return Verdict.FUTURE, shown_wh
    last_raw_wh = state.reckoning.raw(state.register_wh)
    jitter_wh = JITTER_STEPS * state.resolution_wh
    raw_wh = unrolled(shown_wh, last_raw_wh, state.rollover_wh, jitter_wh=jitter_wh)
    register_wh = state.reckoning.validated(raw_wh)
    if at_s <= state.at_s:
        return _verdict_of_old(state, at_s, register_wh), register_wh
    if raw_wh < last_raw_wh:
        is_jitter = last_raw_wh - raw_wh <= jitter_wh
        return (Verdict.UNCHANGED if is_jitter else Verdict.BACKWARDS), register_wh
    moved_wh = register_wh - state.register_wh
    is_plausible = moved_wh * 3000 <= state.max_power_w * (at_s - state.at_s + _slack_s(state))
    return (Verdict.ACCEPTED if is_plausible else Verdict.JUMP), register_wh


def _verdict_of_old(state: RegisterState, at_s: int, register_wh: int) -> Verdict:
    if at_s < state.at_s:
        return Verdict.LATE
    if not state.has_readings:
        return Verdict.UNCHANGED
    return Verdict.DUPLICATE if register_wh == state.register_wh else Verdict.CONFLICT


def _slack_s(state: RegisterState) -> int:
    return CLOCK_SLACK_S if state.has_readings else OPENING_SLACK_S
