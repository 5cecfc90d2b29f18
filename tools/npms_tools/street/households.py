"""How much power a home draws at an hour: a daily shape, and chance that is the same every run."""

from datetime import UTC, datetime
from zlib import crc32

STEP_S = 300
"""A home's draw is constant for so long."""

SHAPES: dict[str, tuple[int, ...]] = {
    # Watts by hour of the day, on a working day.
    "family": (
        180, 160, 150, 150, 160, 260, 620, 900, 640, 420, 380, 420,
        560, 480, 420, 460, 700, 1250, 1900, 2100, 1700, 1150, 620, 300,
    ),
    "couple": (
        110, 100, 100, 100, 100, 140, 420, 560, 300, 190, 180, 200,
        260, 220, 200, 230, 380, 780, 1300, 1350, 1050, 700, 380, 180,
    ),
    "pensioner": (
        90, 90, 80, 80, 90, 140, 300, 480, 520, 460, 430, 520,
        680, 560, 440, 420, 460, 620, 760, 700, 560, 380, 220, 120,
    ),
    "workshop": (
        120, 120, 120, 120, 120, 150, 400, 1500, 2600, 2900, 2800, 2700,
        1800, 2600, 2900, 2700, 2100, 900, 400, 250, 180, 150, 130, 120,
    ),
    "vacant": (5,) * 24,
}  # fmt: skip


def draw_w(kind: str, seed: int, at_s: int) -> int:
    """The power in W drawn during the step that contains `at_s` (epoch seconds).

    The shape is met on average; single steps lie between a quarter and seven
    quarters of it.
    """
    step = at_s // STEP_S
    hour = datetime.fromtimestamp(step * STEP_S, UTC).hour
    chance = crc32(b"%d/%d" % (seed, step)) % 1501
    return SHAPES[kind][hour] * (250 + chance) // 1000
