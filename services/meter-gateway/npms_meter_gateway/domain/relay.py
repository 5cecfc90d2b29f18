"""How supply is switched and limited: what is written, and what read back tells of it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Table = Literal["coil", "input", "holding"]

WORD = 0xFFFF


@dataclass(frozen=True, slots=True)
class Relay:
    """How supply is switched and seen.

    `fc16_register` writes `value_on` or `value_off` into a holding register,
    `fc5_coil` forces a coil. The state is read back at `read_address` of
    `read_table`, `settle_ms` after the write at the earliest.
    """

    kind: Literal["fc16_register", "fc5_coil"]
    address: int
    value_on: int
    value_off: int
    read_table: Table
    read_address: int
    read_on: int
    read_off: int
    settle_ms: int

    def state_of(self, raw: int) -> Literal["on", "off", "unknown"]:
        """What a value read back means; anything unforeseen is unknown."""
        if raw == self.read_on:
            return "on"
        return "off" if raw == self.read_off else "unknown"


@dataclass(frozen=True, slots=True)
class LoadLimit:
    """The holding register with the most power that the meter lets through.

    It counts in `scale` W and is written by function 16; `value_off` stands for no limit. It is
    read back at its own place, `settle_ms` after the write at the earliest.
    """

    address: int
    scale: Fraction
    value_off: int
    settle_ms: int

    def raw_of(self, limit_w: int | None) -> int:
        """What to write: never more than was asked for, and never by chance no limit."""
        if limit_w is None:
            return self.value_off
        raw = min(max(int(limit_w / self.scale), 0), WORD)
        if raw != self.value_off:
            return raw
        return raw - 1 if raw else 1

    def limit_of(self, raw: int) -> int | None:
        """The limit in whole W that a value read back means, None being no limit."""
        return None if raw == self.value_off else int(raw * self.scale)
