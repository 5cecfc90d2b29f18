"""Domain errors as problem documents."""

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.handlers.change_gateway import (
    DeviceMissing,
    DeviceNotAllowed,
    UnknownGateway,
)
from npms_meter_gateway.handlers.check_feeders import OwnMember, UnknownFeeder, UnknownMembers
from npms_meter_gateway.handlers.decide_held import HeldDecided, UnknownHeld
from npms_meter_gateway.handlers.decide_supply import NotMoved
from npms_meter_gateway.handlers.guard_openings import NotStopped
from npms_meter_gateway.handlers.read_meter import (
    AddressNotAllowed,
    LineDown,
    MeterSilent,
    NotPolled,
)
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import Problem, not_found

ERRORS: ErrorMap = {
    UnknownHeld: lambda _: not_found("held reading"),
    UnknownMeter: lambda _: not_found("meter"),
    UnknownFeeder: lambda _: not_found("feeder"),
    UnknownMembers: lambda fault: Problem(422, "unknown_installation", str(fault)),
    OwnMember: lambda fault: Problem(422, "own_member", f"{fault} does not supply itself."),
    HeldDecided: lambda _: Problem(
        409, "held_decided", "A person has decided of it before, and that stands."
    ),
    UnknownGateway: lambda _: not_found("gateway"),
    DeviceMissing: lambda _: Problem(422, "device_missing", "A serial line needs its `device`."),
    DeviceNotAllowed: lambda fault: Problem(422, "device_not_allowed", f"{fault}."),
    AddressNotAllowed: lambda fault: Problem(409, "address_not_allowed", f"{fault}."),
    NotPolled: lambda _: Problem(
        409, "meter_not_polled", "It is closed, or its readings are sent instead of fetched."
    ),
    MeterSilent: lambda fault: Problem(504, "meter_silent", f"No usable answer: {fault}."),
    # Whether an address refuses or closes is nothing that asking for a reading should tell.
    LineDown: lambda _: Problem(503, "line_down", "Its gateway cannot be spoken to."),
    NotMoved: lambda _: Problem(
        409, "relay_not_moved", "Nobody has moved its relay, or it was brought back since."
    ),
    NotStopped: lambda _: Problem(409, "openings_not_stopped", "No opening is held back."),
    Unfit: lambda fault: Problem(409, fault.code, fault.detail),
}
