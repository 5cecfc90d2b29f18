"""What may be raised of a meter: how grave it is, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class EventKind:
    """What `lasts` is an alarm, open until it is cleared; all else is over when it is told."""

    severity: Severity
    meaning: str
    lasts: bool = False


KINDS: Mapping[str, EventKind] = {
    # the link
    "unreachable": EventKind("warning", "the meter does not answer", lasts=True),
    "back": EventKind("info", "the meter answers again"),
    "gateway_unreachable": EventKind("critical", "nothing behind the gateway answers", lasts=True),
    "address_refused": EventKind(
        "critical", "the meter's address is outside what lines may be opened to"
    ),
    "point_refused": EventKind("warning", "the meter does not serve a point of its profile"),
    # the relay
    "relay_stuck": EventKind("critical", "the relay does not follow its commands", lasts=True),
    "relay_welded": EventKind("critical", "the contact cannot open", lasts=True),
    "relay_moved": EventKind("warning", "the relay was moved by somebody else", lasts=True),
    "no_relay": EventKind("warning", "off is desired of a meter without a relay", lasts=True),
    "mass_open_stopped": EventKind(
        "critical", "more supplies were to be opened than the gateway opens", lasts=True
    ),
    # who the meter is, and what it is told to be
    "serial_changed": EventKind("critical", "another meter answers at its address", lasts=True),
    "meter_in_use": EventKind(
        "critical", "another installation was opened at its meter, and waits", lasts=True
    ),
    "ratio_changed": EventKind(
        "critical", "the transformer ratio in the meter is not the recorded one", lasts=True
    ),
    "clock_wrong": EventKind("warning", "the clock of the meter is off", lasts=True),
    "register_fell": EventKind(
        "critical", "the register fell, and billing waits for a person", lasts=True
    ),
    "stuck_register": EventKind(
        "critical", "current flows and the register stands still", lasts=True
    ),
    "feeder_loss": EventKind("critical", "a feeder loses more than its tolerance", lasts=True),
    # what its status shows
    "phase_loss": EventKind("warning", "a phase has no voltage", lasts=True),
    "voltage_imbalance": EventKind("warning", "the voltages of the phases differ", lasts=True),
    "phase_reversed": EventKind("warning", "power of one phase flows back", lasts=True),
    "neutral_missing": EventKind("critical", "the voltages show no common neutral", lasts=True),
    "over_voltage": EventKind("warning", "the voltage is too high", lasts=True),
    "over_current": EventKind("warning", "the current is too high", lasts=True),
    "low_current": EventKind("info", "the current is too low", lasts=True),
    # what its own log tells
    "tamper": EventKind("critical", "the meter was tampered with", lasts=True),
    "cover_open": EventKind("critical", "the cover was opened", lasts=True),
    "register_cleared": EventKind("critical", "the energy registers were cleared"),
    "event_log_overflow": EventKind("warning", "entries of the meter's log were lost"),
    "demand_cleared": EventKind("info", "the demand registers were cleared"),
    "history_cleared": EventKind("info", "the meter's history was cleared"),
    "power_up": EventKind("info", "the meter got power"),
    "power_down": EventKind("info", "the meter lost power"),
    "output_on": EventKind("info", "an output was switched on"),
    "output_off": EventKind("info", "an output was switched off"),
    "clock_set": EventKind("info", "the clock of the meter was set"),
    "unknown_device_event": EventKind("info", "the meter's log has an entry nobody explains"),
}
"""Every kind, in the order people read them."""


def severity_of(kind: str) -> Severity:
    """A warning, for a kind that is not described."""
    known = KINDS.get(kind)
    return known.severity if known else "warning"
