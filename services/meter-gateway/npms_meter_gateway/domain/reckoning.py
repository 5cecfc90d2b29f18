"""How a meter's own register becomes the validated one, which never falls."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

ROLLOVER_FROM_PERCENT = 90
LARGEST_RATIO = 1_000_000


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Validated = `base_wh` + (raw - `raw_wh`) x `ratio`, cut down to the Wh.

    Raw is what the meter shows, counted on across its rollovers. The ratio is that of the
    transformers before the meter: at least 1, so that every validated register tells its raw one.
    """

    raw_wh: int = 0
    base_wh: int = 0
    ratio: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if not 1 <= self.ratio <= LARGEST_RATIO:
            raise ValueError(f"a ratio is from 1 to {LARGEST_RATIO}, not {self.ratio}")

    @property
    def is_plain(self) -> bool:
        """Whether the validated register is the raw one."""
        return self.ratio == 1 and self.raw_wh == self.base_wh

    def validated(self, raw_wh: int) -> int:
        ratio = self.ratio
        return self.base_wh + (raw_wh - self.raw_wh) * ratio.numerator // ratio.denominator

    def raw(self, register_wh: int) -> int:
        """The raw register at a validated one; between two of them the upper."""
        ratio = self.ratio
        moved_wh = -((self.base_wh - register_wh) * ratio.denominator // ratio.numerator)
        return self.raw_wh + moved_wh


PLAIN = Reckoning()


@dataclass(frozen=True, slots=True)
class DecidedReckoning:
    """By what a register is reckoned from an instant on, and who decided so."""

    from_at: datetime
    raw_wh: int
    base_wh: int
    ratio: Decimal
    by_subject: str
    reason: str
    decided_at: datetime


def shown(raw_wh: int, modulus_wh: int | None) -> int:
    """What the meter's display says at a raw register."""
    return raw_wh % modulus_wh if modulus_wh else raw_wh


def unrolled(shown_wh: int, last_raw_wh: int, modulus_wh: int | None, *, jitter_wh: int) -> int:
    """The raw register at what a meter shows, `last_raw_wh` being its last.

    A fall is a rollover only from the last tenth of the modulus, and only if what it then moved
    is less than that tenth.
    """
    if modulus_wh is None or shown_wh >= modulus_wh:
        return shown_wh
    turns, position_wh = divmod(last_raw_wh, modulus_wh)
    rolls = (
        shown_wh < position_wh - jitter_wh
        and position_wh * 100 > modulus_wh * ROLLOVER_FROM_PERCENT
        and (shown_wh + modulus_wh - position_wh) * 100 < modulus_wh * (100 - ROLLOVER_FROM_PERCENT)
    )
    return shown_wh + modulus_wh * (turns + rolls)
