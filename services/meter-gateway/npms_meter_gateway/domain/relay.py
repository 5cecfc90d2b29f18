"""How supply is switched and limited: what is written, and what read back tells of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Table = Literal["coil", "input", "holding"]
Seen = Literal["on", "off", "unknown"]
State = Literal["on", "off"]
Kind = Literal["fc16_register", "fc5_coil", "fc16_keyed", "fc16_timed", "dlt645_control", "local"]

WORD = 0xFFFF
FOR_EVER_S = 0xFFFF_FFFF


def fineco_key(serial_number: int) -> int:
    """The word without which a Fineco EM115 or EM737 does not move its relay."""
    return ((serial_number >> 24) + (serial_number >> 8)) & 0x1234


KEYS: Mapping[str, Callable[[int], int]] = {"fineco": fineco_key}
"""How a key follows from the serial number, by the name a profile calls it."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Where the relay's state stands. `armed` is the value by which a meter says that its customer
    may close it, where it has one.
    """

    table: Table
    address: int
    on: int
    off: int
    armed: int | None = None

    def state_of(self, raw: int) -> Seen:
        """What a value read back means; anything unforeseen is unknown."""
        if raw == self.on:
            return "on"
        return "off" if raw in {self.off, self.armed} else "unknown"


@dataclass(frozen=True, slots=True)
class FaultRegister:
    """Reads `value` while the relay cannot open."""

    table: Table
    address: int
    value: int


@dataclass(frozen=True, slots=True)
class Relay:
    """How supply is switched and seen.

    `fc16_register` writes `value_on` or `value_off` into a holding register, `fc5_coil` forces a
    coil, `fc16_keyed` writes a key and the value into two registers, `fc16_timed` the seconds to
    stay open into two (0 closes); `dlt645_control` sends a command of DL/T 645 with a password;
    `local` is moved on the meter alone. With `local_reclose` a
    command to close only permits the customer to. Without `read_back` nothing but the power that
    flows tells of it. Nothing is looked at sooner than `settle_ms` after a write.
    """

    kind: Kind
    settle_ms: int
    address: int = 0
    value_on: int = 1
    value_off: int = 0
    read_back: ReadBack | None = None
    fault: FaultRegister | None = None
    key: str = ""
    open_for_s: int = FOR_EVER_S
    local_reclose: bool = False

    @property
    def is_commanded(self) -> bool:
        """Whether it can be moved from afar at all."""
        return self.kind != "local"

    @property
    def registers(self) -> int:
        """How many registers a command fills."""
        return 2 if self.kind in {"fc16_keyed", "fc16_timed"} else 1

    @property
    def renew_after_s(self) -> float | None:
        """How long after it was opened it is opened again, before it closes by itself."""
        if self.kind != "fc16_timed" or self.open_for_s == FOR_EVER_S:
            return None
        return self.open_for_s / 2

    def words(self, state: State, serial_number: int | None = None) -> tuple[int, ...]:
        """What is written into its registers; `serial_number` for a key only."""
        if self.kind == "fc16_timed":
            return divmod(self.open_for_s if state == "off" else 0, WORD + 1)
        value = self.value_on if state == "on" else self.value_off
        if self.kind != "fc16_keyed":
            return (value,)
        assert serial_number is not None
        return KEYS[self.key](serial_number), value


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
