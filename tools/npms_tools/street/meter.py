"""One simulated meter: a home behind a relay, counted in whole watt-milliseconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from npms_tools.street.contact import Contact
from npms_tools.street.fault_plan import Book, Rule
from npms_tools.street.faults import VALUE_FAULTS, Faults
from npms_tools.street.framing import Transport
from npms_tools.street.homes import FULL_BYPASS, Home
from npms_tools.street.households import STEP_S
from npms_tools.street.journal import Journal, ShownRegister
from npms_tools.street.register_map import RegisterMap

WMS_PER_WH = 3_600_000
ENERGIES = frozenset({"energy_import_wh", "energy_import_t1_wh", "energy_total_wh"})
"""Registers that count what is drawn; a meter of several tariffs counts all in the first."""
MAINS_V = 230


@dataclass(slots=True)
class Meter:
    """`counted_wms` is the import register in W·ms, counted to the business time `at_ms`.

    `exported_wms` is the export register. `drawn_wms` is what the home took from the street since
    the meter was made, past the meter too; `cleared_wms` what clearing took out of the register.
    A meter with a load limit lets through at most `limit_w`: what the home wants beyond it does not
    flow, and nothing trips.
    """

    serial: str
    map: RegisterMap
    host: str
    port: int
    unit_id: int
    home: Home
    seed: int
    counted_wms: int
    at_ms: int
    transport: Transport = "modbus_tcp"
    load_w: int | None = None
    limit_w: int | None = None
    contact: Contact = field(default_factory=Contact)
    faults: Faults = field(default_factory=Faults)
    book: Book = field(default_factory=Book)
    journal: Journal = field(default_factory=Journal)
    exported_wms: int = 0
    drawn_wms: int = 0
    cleared_wms: int = 0
    clock_ahead_s: int = 0
    feeder: "Feeder | None" = None

    @property
    def kind(self) -> str:
        return self.home.kind

    @property
    def relay_on(self) -> bool:
        return self.contact.is_closed

    @relay_on.setter
    def relay_on(self, on: bool) -> None:
        self.contact.set_by_hand(closed=on)

    @property
    def register_wh(self) -> int:
        """The whole import register; the meter shows it modulo its rollover."""
        return self.counted_wms // WMS_PER_WH

    @property
    def display_wh(self) -> int:
        """What a person reads off the meter: the import register in its own steps."""
        slot = self.map.slot("energy_import_wh")
        shown_wh = self._shown_energy_wh("energy_import_wh", "")
        return shown_wh if slot is None else slot.shown(Fraction(shown_wh))

    @property
    def energy_wh(self) -> int:
        """All that was counted, also where the register was cleared or set since."""
        return (self.counted_wms + self.cleared_wms) // WMS_PER_WH

    @property
    def is_live(self) -> bool:
        """Whether power can flow; a welded contact lets it flow although the relay shows off."""
        return self.contact.is_closed or self.faults.welded != 0

    @property
    def power_w(self) -> int:
        """What the meter measures now, below zero where the home feeds in."""
        if not self.is_live:
            return 0
        drawn_w, bypassed_w, generated_w = self._flows(self.at_ms)
        return drawn_w - bypassed_w - generated_w

    def advance(self, to_ms: int) -> None:
        """Count what flowed until `to_ms` (business epoch milliseconds)."""
        while self.at_ms < to_ms:
            step_end = (self.at_ms // (STEP_S * 1000) + 1) * STEP_S * 1000
            moves_ms = self.contact.next_move_ms()
            until = min(step_end, to_ms, to_ms if moves_ms is None else moves_ms)
            if self.is_live:
                self._count(max(until - self.at_ms, 0))
            elif self.contact.due is None:
                until = to_ms
            self.at_ms = max(until, self.at_ms)
            self.contact.pass_time(self.at_ms)

    def switch(self, *, on: bool) -> None:
        """Command the relay, unless it is stuck."""
        if not self.strikes("stuck_relay"):
            self.contact.command(self.at_ms, closed=on)

    def open_for(self, seconds: int) -> None:
        """Command the relay to stay open so long, unless it is stuck; 0 closes."""
        if not self.strikes("stuck_relay"):
            self.contact.open_for(self.at_ms, seconds)

    def clear_register(self) -> None:
        """Somebody wrote zero into the counters."""
        self.cleared_wms += self.counted_wms
        self.counted_wms = 0

    def strikes(self, kind: str) -> Rule | Faults | None:
        """Who says that this fault strikes now, if anybody: the rule, or what was set by hand."""
        rule = self.book.strikes(kind, self.at_ms / 1000) if self.book.at_requests else None
        if rule is None and not self.faults.take(kind):
            return None
        self.journal.strike(self.at_ms / 1000, self.serial, kind)
        return rule or self.faults

    def read(self, table: str, address: int, count: int) -> list[int]:
        """What stands in these registers or coils now; zero where nothing does."""
        words = [0] * count
        slots = self.map.covered(table, address, count)
        fault = self._value_fault() if any(slot.name in ENERGIES for slot in slots) else ""
        for slot in slots:
            is_missing = fault == "nan" and slot.name in ENERGIES
            value = self._value(slot.name, fault)
            shown = slot.encode_missing() if is_missing else slot.encode(value)
            _lay(words, address, slot.address, shown)
            if slot.name == "energy_import_wh" and not is_missing and self.journal.keeps_shown:
                self._note_shown(slot.shown(value), fault)
        for at, word in self._controls(table):
            _lay(words, address, at, [word])
        return words

    def _controls(self, table: str) -> Iterable[tuple[int, int]]:
        """Address and word of the relay's state, its fault, and the load limit."""
        limit, back, fault = self.map.load_limit, self.map.read_back, self.map.relay_fault
        if back is not None and back["table"] == table:
            yield back["address"], self._relay_word(back)
        if fault is not None and fault["table"] == table:
            cannot_open = self.faults.welded or self.faults.stuck_relay
            yield fault["address"], fault["value"] if cannot_open else 0
        if limit is not None and table == "holding":
            yield limit["address"], self.map.raw_limit(self.limit_w)

    def _relay_word(self, back: Mapping[str, Any]) -> int:
        if self.contact.is_armed and back.get("value_armed") is not None:
            return int(back["value_armed"])
        return int(back["value_on" if self.relay_on else "value_off"])

    def _value(self, name: str, fault: str) -> Fraction:
        if name in ENERGIES:
            return Fraction(self._shown_energy_wh(name, fault))
        power_w = self.power_w
        match name:
            case "energy_export_wh":
                return Fraction(self.exported_wms // WMS_PER_WH)
            case "power_w":
                return Fraction(power_w)
            case "voltage_v" | "voltage_l2_v" | "voltage_l3_v":
                return Fraction(MAINS_V * 10 + self.seed % 60 - 30, 10)
            case "current_a" | "current_l2_a" | "current_l3_a":
                phases = 3 if self.map.slot("current_l2_a") else 1
                return Fraction(abs(power_w), MAINS_V * phases)
            case "power_l1_w" | "power_l2_w" | "power_l3_w":
                return Fraction(power_w, 3)
            case "power_factor" | "ct_ratio" | "pt_ratio":
                return Fraction(1)
            case "frequency_hz":
                return Fraction(50)
            case "serial_number":
                return Fraction(self.seed)
        return Fraction(0)

    def _shown_energy_wh(self, name: str, fault: str) -> int:
        counted_wms = self.counted_wms
        if fault == "frozen" and self.faults.frozen_wms is not None:
            counted_wms = self.faults.frozen_wms
        wh = counted_wms // WMS_PER_WH
        if name == "energy_total_wh":
            wh += self.exported_wms // WMS_PER_WH
        if fault == "spike":
            wh += self.faults.spike_wh
        if fault == "jitter":
            wh = max(wh - self.map.resolution_wh, 0)
        modulus = self.map.rollover_wh
        return wh % modulus if modulus else wh

    def _value_fault(self) -> str:
        for kind in VALUE_FAULTS:
            if kind == "nan" and not self.map.can_miss:
                continue
            struck = self.strikes(kind)
            if struck is None:
                continue
            if kind == "frozen" and self.faults.frozen_wms is None:
                self.faults.frozen_wms = self.counted_wms
            if isinstance(struck, Rule) and kind == "spike":
                self.faults.spike_wh = struck.by_wh
            return kind
        self.faults.frozen_wms = None
        return ""

    def _note_shown(self, shown_wh: int, fault: str) -> None:
        true_wh = self._shown_energy_wh("energy_import_wh", "")
        at_s, energy_wh = self.at_ms / 1000, self.energy_wh
        self.journal.show(ShownRegister(at_s, self.serial, shown_wh, true_wh, energy_wh, fault))

    def _count(self, took_ms: int) -> None:
        drawn_w, bypassed_w, generated_w = self._flows(self.at_ms)
        net_w = drawn_w - bypassed_w - generated_w
        if net_w >= 0:
            self.counted_wms += net_w * took_ms
        else:
            self.exported_wms -= net_w * took_ms
        taken_wms = (drawn_w - generated_w) * took_ms
        self.drawn_wms += taken_wms
        if self.feeder is not None:
            self.feeder.carry(taken_wms)

    def _flows(self, at_ms: int) -> tuple[int, int, int]:
        """(drawn, of it past the meter, generated) in W, were the contact closed."""
        if self.load_w is not None:
            drawn_w, generated_w = self.load_w, 0
        else:
            at_s = at_ms // 1000
            drawn_w, generated_w = self.home.draws_w(at_s), self.home.generates_w(at_s)
        bypassed_w = drawn_w * self.home.bypass_ppm // FULL_BYPASS
        if self.limit_w is not None:
            drawn_w = min(drawn_w - bypassed_w, self.limit_w) + bypassed_w
        return drawn_w, bypassed_w, generated_w


class Feeder(Meter):
    """The meter at the head of a section: it counts what its homes take, and what the line loses.

    It has no home of its own, and is brought up to date by bringing its members so. What a home
    feeds in goes to the export register, as if each had a line of its own to the feeder.
    """

    __slots__ = ("loss_ppm", "members")

    def head(self, members: list[Meter], *, loss_ppm: int) -> None:
        self.members, self.loss_ppm = members, loss_ppm
        for member in members:
            member.feeder = self

    def carry(self, taken_wms: int) -> None:
        """A member took so much, or gave it where it is below zero."""
        if taken_wms >= 0:
            self.counted_wms += taken_wms + taken_wms * self.loss_ppm // 1_000_000
        else:
            self.exported_wms -= taken_wms

    @property
    def power_w(self) -> int:
        return sum(member.power_w for member in self.members)

    def advance(self, to_ms: int) -> None:
        for member in self.members:
            member.advance(to_ms)
        self.at_ms = max(self.at_ms, to_ms)


def _lay(words: list[int], address: int, at: int, shown: list[int]) -> None:
    """Put registers that begin at `at` into those read from `address` on."""
    for place, word in enumerate(shown, start=at - address):
        if 0 <= place < len(words):
            words[place] = word
