"""Which readings are believed. Runs for every reading of every meter, so it is one flat loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CLOCK_SLACK_S = 60
"""How far the moment a register was latched may lie from the moment noted for it."""
OPENING_SLACK_S = 3600
"""The opening register was noted by a person or a system some time before the opening."""
JITTER_STEPS = 2
ROLLOVER_FROM_PERCENT = 90
MAX_REGISTER_WH = 1 << 62


class Verdict(StrEnum):
    """What became of a reading. Only `accepted` is stored and told; `unchanged` and `duplicate`
    are nothing new; all others are parked with their name as the reason, but `unknown_serial`:
    there is no installation to park it under, and its sender is told.
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
    UNKNOWN_INSTALLATION = "unknown_installation"
    UNKNOWN_SERIAL = "unknown_serial"


NOTHING_NEW = frozenset({Verdict.ACCEPTED, Verdict.UNCHANGED, Verdict.DUPLICATE})


@dataclass(slots=True)
class Track:
    """An installation's last accepted reading, and what the next must obey.

    `register_wh` continues across rollovers of the meter's own register, whose
    modulus is `rollover_wh`. Before the first reading it is the opening register.
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


Columns = tuple[list[int], list[int], list[int], list[int]]
"""installation_id, account_id, taken_at_s, register_wh: of one partition, in order."""


@dataclass(slots=True)
class Sifted:
    """`accepted` by partition, `others` by index into what was given."""

    accepted: dict[int, Columns] = field(default_factory=dict)
    others: dict[int, Verdict] = field(default_factory=dict)


def sift(
    installation_ids: list[int],
    taken_at_s: list[int],
    registers_wh: list[int],
    *,
    tracks: Mapping[int, Track],
    latest_s: int,
) -> Sifted:
    """Judge readings in the given order and move the tracks of those accepted.

    `tracks` holds every installation that is known. A reading after `latest_s`
    is in the future. 1.2 times the fuse's power over the time since the last
    reading is the most a register can have moved: 1.2 W·s = 1/3000 Wh.
    """
    sifted = Sifted()
    accepted = sifted.accepted
    for index, (installation_id, at_s, register_wh) in enumerate(
        zip(installation_ids, taken_at_s, registers_wh, strict=True)
    ):
        track = tracks.get(installation_id)
        if track is None:
            sifted.others[index] = Verdict.UNKNOWN_INSTALLATION
            continue
        took_s = at_s - track.at_s
        moved_wh = register_wh - track.register_wh
        if (
            took_s <= 0
            or moved_wh < 0
            or moved_wh * 3000 > track.max_power_w * (took_s + CLOCK_SLACK_S)
            or at_s > latest_s
            or track.closed
            or register_wh > MAX_REGISTER_WH
        ):
            verdict, register_wh = _weigh(track, at_s, register_wh, latest_s)  # noqa: PLW2901
            if verdict is not Verdict.ACCEPTED:
                sifted.others[index] = verdict
                continue
        track.at_s, track.register_wh, track.has_readings = at_s, register_wh, True
        columns = accepted.get(track.partition)
        if columns is None:
            columns = accepted[track.partition] = ([], [], [], [])
        columns[0].append(installation_id)
        columns[1].append(track.account_id)
        columns[2].append(at_s)
        columns[3].append(register_wh)
    return sifted


def _weigh(track: Track, at_s: int, register_wh: int, latest_s: int) -> tuple[Verdict, int]:
    """The verdict on a reading that is not plainly good, and its register with rollovers added."""
    if not 0 <= register_wh <= MAX_REGISTER_WH:
        return Verdict.OUT_OF_RANGE, register_wh
    if track.closed:
        return Verdict.CLOSED, register_wh
    if at_s > latest_s:
        return Verdict.FUTURE, register_wh
    register_wh = _unrolled(track, register_wh)
    if at_s <= track.at_s:
        return _weigh_old(track, at_s, register_wh), register_wh
    moved_wh = register_wh - track.register_wh
    if moved_wh < 0:
        is_jitter = -moved_wh <= JITTER_STEPS * track.resolution_wh
        return (Verdict.UNCHANGED if is_jitter else Verdict.BACKWARDS), register_wh
    is_plausible = moved_wh * 3000 <= track.max_power_w * (at_s - track.at_s + _slack_s(track))
    return (Verdict.ACCEPTED if is_plausible else Verdict.JUMP), register_wh


def _weigh_old(track: Track, at_s: int, register_wh: int) -> Verdict:
    if at_s < track.at_s:
        return Verdict.LATE
    if not track.has_readings:
        return Verdict.UNCHANGED
    return Verdict.DUPLICATE if register_wh == track.register_wh else Verdict.CONFLICT


def _slack_s(track: Track) -> int:
    return CLOCK_SLACK_S if track.has_readings else OPENING_SLACK_S


def _unrolled(track: Track, register_wh: int) -> int:
    """The register continued across rollovers.

    A fall is a rollover only from the last tenth of the modulus, and only if
    what it then moved is less than that tenth.
    """
    modulus = track.rollover_wh
    if modulus is None or register_wh >= modulus:
        return register_wh
    turns, position = divmod(track.register_wh, modulus)
    jitter = JITTER_STEPS * track.resolution_wh
    rolls = (
        register_wh < position - jitter
        and position * 100 > modulus * ROLLOVER_FROM_PERCENT
        and (register_wh + modulus - position) * 100 < modulus * (100 - ROLLOVER_FROM_PERCENT)
    )
    return register_wh + modulus * (turns + rolls)
