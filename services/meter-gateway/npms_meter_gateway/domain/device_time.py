"""How meters write down a time, and what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

TimeField = Literal["year", "month", "day", "hour", "minute", "second"]

CENTURY = 2000
_LEAST: dict[TimeField, int] = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
"""What a field is that is not written down."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A time of a byte (or a whole register) for each field, as whole numbers or BCD.

    `fields` are in the order in which they stand, the high byte of a register first. Years are
    those of the century: 24 is 2024.
    """

    fields: tuple[TimeField, ...]
    unit: Literal["byte", "register"] = "byte"
    coding: Literal["binary", "bcd"] = "binary"

    @property
    def registers(self) -> int:
        """How many registers such a time takes."""
        return len(self.fields) if self.unit == "register" else (len(self.fields) + 1) // 2

    def decode(self, words: Sequence[int]) -> datetime | None:
        """The time by the meter's own clock, without a zone; None where there is none."""
        numbers = words if self.unit == "register" else [b for w in words for b in divmod(w, 256)]
        try:
            read = dict(zip(self.fields, map(self._number, numbers), strict=False))
            year = CENTURY + read["year"]
            month, day, hour, minute, second = (read.get(*field) for field in _LEAST.items())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - none is known
        except (KeyError, ValueError):
            return None

    def encode(self, at: datetime) -> tuple[int, ...]:
        """The registers that say `at`, a time by the meter's own clock."""
        numbers = [self._raw(getattr(at, name) % 100) for name in self.fields]
        if self.unit == "register":
            return tuple(numbers)
        numbers += [0] * (len(numbers) % 2)
        return tuple(256 * high + low for high, low in zip(*[iter(numbers)] * 2, strict=True))

    def _number(self, raw: int) -> int:
        """Raises ValueError for what is no BCD."""
        return int(f"{raw:x}") if self.coding == "bcd" else raw

    def _raw(self, number: int) -> int:
        return int(str(number), 16) if self.coding == "bcd" else number
