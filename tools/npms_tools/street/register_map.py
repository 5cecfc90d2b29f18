"""The meter's side of a profile: from true values to registers.

It shares the data with the gateway and none of its code, so that a fault in one is not hidden by
the same fault in the other.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one value stands and how it is written there."""

    name: str
    table: str
    address: int
    type: str
    scale: Fraction
    order: str

    def encode(self, value: Fraction) -> list[int]:
        """The registers that show `value`, cut down to what the meter can count."""
        raw = value / self.scale
        code = _PACK[self.type]
        number: float | int = float(raw) if self.type.startswith("f") else raw.__floor__()
        if isinstance(number, int):
            bits = 8 * struct.calcsize(code)
            number = number % (1 << bits) if self.type.startswith("u") else number
        data = struct.pack(code, number)
        endian: Literal["big", "little"] = "little" if self.order in {"badc", "dcba"} else "big"
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

    def show(
        self, values: Mapping[str, Fraction], *, relay_on: bool, limit_w: int | None = None
    ) -> dict[str, dict[int, int]]:
        """Register or coil by address, for each table; a value without a slot is left out."""
        tables: dict[str, dict[int, int]] = {"coil": {}, "input": {}, "holding": {}}
        for slot in self.slots:
            words = slot.encode(values.get(slot.name, Fraction(0)))
            tables[slot.table].update(enumerate(words, start=slot.address))
        if self.relay is not None:
            back = self.relay["read_back"]
            tables[back["table"]][back["address"]] = back["value_on" if relay_on else "value_off"]
        if self.load_limit is not None:
            tables["holding"][self.load_limit["address"]] = self.raw_limit(limit_w)
        return tables

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
    slots = tuple(_slot(name, point) for name, point in data["points"].items())
    relay = data["relay"] if data["relay"]["kind"] != "none" else None
    limits = cast("dict[str, Any]", data.get("limits", {}))
    even = bool(limits.get("even", False))
    return RegisterMap(data["profile"], slots, relay, even, data.get("load_limit"))


def _slot(name: str, point: Mapping[str, Any]) -> Slot:
    return Slot(
        name=name,
        table=point.get("table", "holding"),
        address=point["address"],
        type=point["type"],
        scale=Fraction(point.get("scale", "1")),
        order=point.get("order", "abcd"),
    )
