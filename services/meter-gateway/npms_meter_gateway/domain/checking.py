"""What must hold in a profile before a meter is read by it."""

from collections.abc import Iterator
from itertools import pairwise

from npms_meter_gateway.domain.point import (
    CANONICAL,
    CT_RATIO,
    ENERGY,
    POWER,
    PT_RATIO,
    SERIAL,
    Group,
    Point,
)
from npms_meter_gateway.domain.profile import Profile, ProfileError
from npms_meter_gateway.domain.records import DEVICE_EVENTS, Freezes, Records

ADDRESSES = 0x10000
MAX_READ = 125
RATIO_POINTS = frozenset({CT_RATIO, PT_RATIO})


def check(profile: Profile) -> Profile:
    """The profile, or ProfileError with everything that is wrong in it."""
    faults = [
        *_whole_faults(profile),
        *_relay_faults(profile),
        *(fault for point in profile.points.values() for fault in _point_faults(point, profile)),
        *_overlaps(profile),
        *_records_faults(profile),
    ]
    if faults:
        raise ProfileError(profile.code, faults)
    return profile


def _whole_faults(profile: Profile) -> Iterator[str]:
    energy = profile.points.get(ENERGY)
    if energy is None:
        yield f"points: {ENERGY} is missing"
    else:
        yield from _register_faults(profile, energy)
    if profile.resolution_wh < 1:
        yield "resolution_wh: must be at least 1"
    if profile.rollover_wh is not None and profile.rollover_wh <= profile.resolution_wh:
        yield "rollover_wh: must be above the resolution"
    if profile.load_limit and profile.load_limit.scale <= 0:
        yield "load_limit.scale: must be above zero"
    if profile.load_limit and not profile.relay:
        yield "load_limit: a meter without a relay is not limited"


def _register_faults(profile: Profile, energy: Point) -> Iterator[str]:
    if energy.group is not Group.BILLING:
        yield f"points.{ENERGY}.group: what is billed belongs to billing"
    if profile.driver != "modbus" or energy.type.is_float:
        return
    if profile.resolution_wh < energy.scale:
        yield f"resolution_wh: points.{ENERGY} moves by {energy.scale} Wh at least"
    if (profile.rollover_wh or 0) > energy.scale * (1 << 16 * energy.type.registers):
        yield f"rollover_wh: more than points.{ENERGY} can hold"


def _relay_faults(profile: Profile) -> Iterator[str]:
    relay = profile.relay
    if relay is None:
        return
    back = relay.read_back
    if back and len({back.on, back.off, back.armed}) < 3:
        yield "relay.read_back: two states read the same"
    if back is None and POWER not in profile.points:
        yield f"relay.read_back: without a state register points.{POWER} must tell of it"
    if (relay.kind == "dlt645_control") != (profile.driver == "dlt645"):
        yield "relay.kind: dlt645_control belongs to dlt645, and nothing else does"
    if relay.value_on == relay.value_off:
        yield "relay: on and off are written the same"
    if relay.kind == "fc16_keyed" and SERIAL not in profile.points:
        yield f"relay.key: follows from points.{SERIAL}, which is missing"


def _point_faults(point: Point, profile: Profile) -> Iterator[str]:
    place = f"points.{point.name}"
    yield from _number_faults(point, place)
    if point.type.is_bcd != (profile.driver == "dlt645"):
        yield f"{place}.type: BCD numbers belong to dlt645, and nothing else does"
    if profile.driver == "modbus" and point.end > ADDRESSES:
        yield f"{place}.address: beyond the last register"
    if point.type.registers > profile.limits.max_read:
        yield f"{place}.type: longer than limits.max_read"
    if profile.limits.even and (point.address % 2 or point.type.registers % 2):
        yield f"{place}.address: limits.even asks for even addresses and lengths"
    if point.name in RATIO_POINTS and point.ratio != "primary":
        yield f"{place}.ratio: a ratio has none"


def _number_faults(point: Point, place: str) -> Iterator[str]:
    if point.name not in CANONICAL:
        yield f"{place}: not a known name"
    if point.table == "coil":
        yield f"{place}.table: a number cannot stand in coils"
    if point.scale <= 0:
        yield f"{place}.scale: must be above zero"
    highest = 1 << 16 * point.type.registers
    if any(not 0 <= raw < highest for raw in point.invalid):
        yield f"{place}.invalid: a pattern is longer than the number"
    if None not in {point.minimum, point.maximum} and not point.minimum < point.maximum:  # type: ignore[operator]
        yield f"{place}.minimum: must be below the maximum"


def _overlaps(profile: Profile) -> Iterator[str]:
    if profile.driver != "modbus":
        return
    spans = [(p.table, p.address, p.end, f"points.{p.name}") for p in profile.points.values()]
    relay = profile.relay
    if relay and relay.is_commanded and relay.kind != "fc5_coil":
        spans.append(("holding", relay.address, relay.address + relay.registers, "relay"))
    limit = profile.load_limit
    if limit:
        spans.append(("holding", limit.address, limit.address + 1, "load_limit"))
    spans.sort()
    for (table, _, end, name), (other_table, address, _, other) in pairwise(spans):
        if table == other_table and address < end:
            yield f"{other}: overlaps {name} at {table} register {address:#06x}"


def _records_faults(profile: Profile) -> Iterator[str]:
    for number, freezes in enumerate(profile.freezes):
        place = f"freezes.{number}"
        yield from _row_faults(freezes.records, freezes.time_at + freezes.time.registers, place)
        yield from _freeze_faults(freezes, place)
    log = profile.events
    if log:
        end = max(log.time_at + log.time.registers, log.code_at + 1, (log.detail_at or 0) + 1)
        yield from _row_faults(log.records, end, "events")
        for number, rule in enumerate(log.rules):
            if rule.kind not in DEVICE_EVENTS:
                yield f"events.rules.{number}.kind: not a known kind"
    for number, status in enumerate(profile.status):
        for kind in sorted(set(status.kinds.values()) - DEVICE_EVENTS):
            yield f"status.{number}.rules: {kind} is not a known kind"


def _row_faults(records: Records, end: int, place: str) -> Iterator[str]:
    if end > records.words:
        yield f"{place}.words: the record is shorter than what stands in it"
    if records.words > MAX_READ:
        yield f"{place}.words: more than {MAX_READ} registers cannot be read at once"
    if records.address_of(records.count - 1) >= ADDRESSES:
        yield f"{place}.count: beyond the last register"


def _freeze_faults(freezes: Freezes, place: str) -> Iterator[str]:
    if ENERGY not in freezes.points:
        yield f"{place}.points: {ENERGY} is missing"
    for point in freezes.points.values():
        yield from _number_faults(point, f"{place}.points.{point.name}")
        if point.end > freezes.records.words:
            yield f"{place}.points.{point.name}: beyond the record"
