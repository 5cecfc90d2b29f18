"""Who lives behind a meter: what a home draws and generates, the same at every run."""

import math
import random
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

from npms_tools.street.households import STEP_S, draw_w
from npms_tools.street.standard_profile import DAY_S, h0_deciwatts

FULL_BYPASS = 1_000_000


class Home(Protocol):
    """Power in W is constant within a step of STEP_S seconds."""

    @property
    def kind(self) -> str:
        """A word for whom it is."""

    @property
    def bypass_ppm(self) -> int:
        """The share of the draw that goes past the meter."""

    def draws_w(self, at_s: int) -> int:
        """What is drawn during the step that contains `at_s` (epoch seconds)."""

    def generates_w(self, at_s: int) -> int:
        """What the home's own generator gives meanwhile."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A household of the demonstration's few shapes."""

    kind: str
    seed: int
    bypass_ppm: int = 0

    def draws_w(self, at_s: int) -> int:
        return draw_w(self.kind, self.seed, at_s)

    def generates_w(self, at_s: int) -> int:  # noqa: ARG002 - none has a generator
        return 0


@dataclass(frozen=True, slots=True)
class Standard:
    """A home of so many kWh a year, in the course of the standard profile with noise of its own.

    `always_w` is drawn besides, day and night; `panels_w` is the peak of its photovoltaic roof.
    """

    kind: str
    seed: int
    annual_kwh: int
    always_w: int = 0
    panels_w: int = 0
    bypass_ppm: int = 0

    def draws_w(self, at_s: int) -> int:
        step = at_s // STEP_S
        milliwatts = h0_deciwatts(step * STEP_S) * self.annual_kwh // 10
        return (
            self.always_w + (milliwatts * _noise_permille(self.seed, step) + 500_000) // 1_000_000
        )

    def generates_w(self, at_s: int) -> int:
        if not self.panels_w:
            return 0
        step = at_s // STEP_S
        hour = step * STEP_S % DAY_S / 3600
        sun = max(math.sin(math.pi * (hour - 6) / 12), 0.0)
        clouds = 400 + crc32(b"sky%d" % step) % 600
        return int(self.panels_w * sun) * clouds // 1000


def _noise_permille(seed: int, step: int) -> int:
    """Between a quarter and seven quarters, 1000 on average."""
    return 250 + crc32(b"%d/%d" % (seed, step)) % 1501


def settle(number: int, seed: int) -> Standard:
    """Who lives at house `number` of a street of that seed.

    Annual energy is log-normal in each class; of a hundred homes four stand vacant, three have
    panels, one steals, one grows what needs much light.
    """
    chance = random.Random(f"{seed}/{number}")
    lot = chance.randrange(100)
    kind, median_kwh, spread = _class_of(lot)
    annual_kwh = round(median_kwh * math.exp(chance.gauss(0, spread)))
    return Standard(
        kind=kind,
        seed=crc32(f"{seed}/{number}".encode()),
        annual_kwh=annual_kwh,
        always_w=4_500 if kind == "grow_house" else 0,
        panels_w=6_000 if kind == "panels" else 0,
        bypass_ppm=600_000 if kind == "theft" else 0,
    )


def _class_of(lot: int) -> tuple[str, int, float]:
    """(kind, median kWh a year, spread of its logarithm)."""
    if lot < 4:
        return "vacant", 20, 0.3
    if lot < 7:
        return "panels", 3_500, 0.4
    if lot < 8:
        return "theft", 6_000, 0.3
    if lot < 9:
        return "grow_house", 3_000, 0.3
    return ("large", 5_500, 0.4) if lot < 22 else ("household", 2_600, 0.5)
