"""The meter's side of a profile: from true values to registers.

It shares the data with the gateway and none of its code, so that a fault in one is not hidden by
the same fault in the other.
"""

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from typing import Any, Literal, cast

import yaml

_PACK = {
    "u16": ">H",
    "s16": ">h",
    "u32": ">I",
    "s32": ">i",
    "u64": ">Q",
    "s64": ">q",
    "f32": ">f",
    "f64": ">d",
}
KEPT_COVERS = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one value stands and how it is written there."""

    name: str
    table: str
    address: int
    type: str
    scale: Fraction
    order: str
    invalid: int | None = None
    constant: int | None = None
    """What a register that names the device reads as, always."""

    @property
    def end(self) -> int:
        return self.address + struct.calcsize(_PACK[self.type]) // 2

    def encode(self, value: Fraction) -> list[int]:
        """The registers that show `value`, cut down to what the meter can count."""
        return self._words(struct.pack(_PACK[self.type], self._raw(value)))

    def encode_missing(self) -> list[int]:
        """The registers that say "not available": NaN, or the profile's first invalid pattern."""
        code = _PACK[self.type]
        if self.type.startswith("f"):
            return self._words(struct.pack(code, math.nan))
        size = struct.calcsize(code)
        pattern = (1 << 8 * size) - 1 if self.invalid is None else self.invalid
        return self._words(pattern.to_bytes(size, "big"))

    def shown(self, value: Fraction) -> int:
        """What a reader of the registers makes of `value`, in whole units."""
        code = _PACK[self.type]
        (raw,) = struct.unpack(code, struct.pack(code, self._raw(value)))
        return math.floor(Fraction(raw) * self.scale)

    def _raw(self, value: Fraction) -> float | int:
        if self.constant is not None:
            return self.constant
        raw = value / self.scale
        if self.type.startswith("f"):
            return float(raw)
        bits = 8 * struct.calcsize(_PACK[self.type])
        number = math.floor(raw)
        return number % (1 << bits) if self.type.startswith("u") else number

    def _words(self, data: bytes) -> list[int]:
        endian: Literal["big", "little"] = "big" if self.order in {"abcd", "cdab"} else "little"
        words = [int.from_bytes(data[i : i + 2], endian) for i in range(0, len(data), 2)]
        return words[::-1] if self.order in {"cdab", "dcba"} else words


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """A profile as its meter serves it. `relay` and `load_limit` are its blocks, or None."""

    profile: str
    slots: tuple[Slot, ...]
    relay: Mapping[str, Any] | None
    even: bool
    load_limit: Mapping[str, Any] | None = None
    resolution_wh: int = 1
    rollover_wh: int | None = None
    blocks: Mapping[str, Any] = field(default_factory=dict)
    """The profile's other blocks as they are written: clock, freezes, events."""
    _covers: dict[tuple[str, int, int], tuple[Slot, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _tops: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def covered(self, table: str, address: int, count: int) -> tuple[Slot, ...]:
        """The slots that a read touches."""
        asked = (table, address, count)
        found = self._covers.get(asked)
        if found is None:
            end = address + count
            found = tuple(
                s for s in self.slots if s.table == table and address < s.end and s.address < end
            )
            if len(self._covers) < KEPT_COVERS:
                self._covers[asked] = found
        return found

    @property
    def read_back(self) -> Mapping[str, Any] | None:
        """Where the relay's state stands; None where there is no register for it."""
        back = (self.relay or {}).get("read_back")
        return back if isinstance(back, Mapping) else None

    @property
    def relay_fault(self) -> Mapping[str, Any] | None:
        """Where the meter tells that its relay cannot open."""
        return (self.relay or {}).get("fault")

    def top(self, table: str) -> int:
        """The last address that the table has; below 0 where there is none."""
        found = self._tops.get(table)
        if found is None:
            ends = [slot.end - 1 for slot in self.slots if slot.table == table]
            found = max([*ends, *self._control_addresses(table)], default=-1)
            if self.even and table != "coil" and found >= 0:
                found |= 1  # what is read in pairs ends with one
            self._tops[table] = found
        return found

    def _control_addresses(self, table: str) -> Iterable[int]:
        for block in (self.read_back, self.relay_fault):
            if block is not None and block["table"] == table:
                yield block["address"]
        if self.load_limit is not None and table == "holding":
            yield self.load_limit["address"]

    @property
    def can_miss(self) -> bool:
        """Whether the meter has a way to say that its energy is not available."""
        slot = self.slot("energy_import_wh")
        return slot is not None and (slot.type.startswith("f") or slot.invalid is not None)

    def slot(self, name: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.name == name), None)

    def raw_limit(self, limit_w: int | None) -> int:
        """How the load limit reads."""
        assert self.load_limit is not None
        if limit_w is None:
            return int(self.load_limit["value_off"])
        return int(limit_w / Fraction(self.load_limit.get("scale", "1")))

    def limit_of(self, raw: int) -> int | None:
        """The load limit in W that a register written means."""
        assert self.load_limit is not None
        if raw == self.load_limit["value_off"]:
            return None
        return int(raw * Fraction(self.load_limit.get("scale", "1")))


def load_map(profile: str) -> RegisterMap:
    """The map of one of the gateway's shipped profiles; FileNotFoundError if there is none."""
    folder = resources.files("npms_meter_gateway") / "profiles"
    data = yaml.safe_load((folder / f"{profile}.yaml").read_text(encoding="utf-8"))
    slots = (
        *(_slot(name, point) for name, point in data["points"].items()),
        *(_slot("device_type", probe) for probe in data.get("probe", ())),
    )
    limits = cast("dict[str, Any]", data.get("limits", {}))
    return RegisterMap(
        profile=data["profile"],
        slots=slots,
        relay=data["relay"] if data["relay"]["kind"] != "none" else None,
        even=bool(limits.get("even", False)),
        load_limit=data.get("load_limit"),
        resolution_wh=data["resolution_wh"],
        rollover_wh=data.get("rollover_wh"),
        blocks={name: data[name] for name in ("clock", "freezes", "events") if data.get(name)},
    )


def _slot(name: str, point: Mapping[str, Any]) -> Slot:
    return Slot(
        name=name,
        table=point.get("table", "holding"),
        address=point["address"],
        type=point["type"],
        scale=Fraction(point.get("scale", "1")),
        order=point.get("order", "abcd"),
        invalid=next(iter(point.get("invalid", ())), None),
        constant=next(iter(point.get("equals", ())), None),
    )


def shipped_profiles() -> tuple[str, ...]:
    """The codes of every profile that the gateway ships for meters that speak Modbus."""
    return tuple(
        sorted(code for code, data in _files() if data.get("driver", "modbus") == "modbus")
    )


def _files() -> Iterable[tuple[str, dict[str, Any]]]:
    folder = resources.files("npms_meter_gateway") / "profiles"
    for file in folder.iterdir():
        if file.name.endswith(".yaml"):
            yield file.name.removesuffix(".yaml"), yaml.safe_load(file.read_text(encoding="utf-8"))
