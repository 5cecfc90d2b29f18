"""Which reads bring a set of points: few, inside the meter's limits."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from npms_meter_gateway.domain.point import NumberType, Point
from npms_meter_gateway.domain.profile import LOAD_LIMIT, RELAY, RELAY_FAULT, Limits, Profile
from npms_meter_gateway.domain.relay import Table

MAX_READ_PDU = 125


@dataclass(frozen=True, slots=True)
class Spot:
    """A named run of registers (or one coil) that a read must cover."""

    name: str
    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Block:
    """One read: `count` registers or coils from `address` on, and what stands in them."""

    table: Table
    address: int
    count: int
    spots: tuple[Spot, ...]


def spots_of(profile: Profile, names: Collection[str]) -> list[Spot]:
    """Where what is asked for stands, as far as the meter has it."""
    spots = [spot_of(point) for name, point in profile.points.items() if name in names]
    relay, limit = profile.relay, profile.load_limit
    if relay and relay.read_back and RELAY in names:
        spots.append(Spot(RELAY, relay.read_back.table, relay.read_back.address, 1))
    if relay and relay.fault and RELAY_FAULT in names:
        spots.append(Spot(RELAY_FAULT, relay.fault.table, relay.fault.address, 1))
    if limit and LOAD_LIMIT in names:
        spots.append(Spot(LOAD_LIMIT, "holding", limit.address, 1))
    return spots


def spot_of(point: Point) -> Spot:
    return Spot(point.name, point.table, point.address, NumberType(point.type).registers)


def plan(spots: Iterable[Spot], limits: Limits) -> tuple[Block, ...]:
    """Reads that cover all spots, merged while the hole and the length stay inside the limits."""
    blocks: list[Block] = []
    for spot in sorted(spots, key=lambda s: (s.table, s.address)):
        merged = _merge(blocks[-1], spot, limits) if blocks else None
        if merged is None:
            blocks.append(_block(spot, limits))
        else:
            blocks[-1] = merged
    return tuple(blocks)


def tell_apart(
    blocks: Iterable[Block], others: Iterable[Block], spare: Collection[Spot], limits: Limits
) -> tuple[Block, ...]:
    """The blocks, lengthened where that makes each of another length than any other of its table.

    In frames without a transaction (RTU) nothing but its length shows that a late answer belongs to
    another read. They are lengthened over `spare` spots only: registers that the meter serves. The
    first of `blocks` has the first choice.
    """
    taken = {(other.table, other.count) for other in others}
    apart: list[Block] = []
    for block in blocks:
        lengths = [block, *_lengthened(block, spare, limits)]
        chosen = next((b for b in lengths if (b.table, b.count) not in taken), block)
        taken.add((chosen.table, chosen.count))
        apart.append(chosen)
    return tuple(apart)


def _lengthened(block: Block, spare: Collection[Spot], limits: Limits) -> list[Block]:
    """The block over its next spare spot, over two of them …; after it first, then before it."""
    near = [spot for spot in spare if spot.table == block.table != "coil"]
    after = sorted((s for s in near if s.address >= block.address), key=lambda s: s.address)
    before = sorted((s for s in near if s.address < block.address), key=lambda s: -s.address)
    found: list[Block] = []
    for row in (after, before):
        longer: Block | None = block
        for spot in row:
            longer = _over(longer, spot, limits) if longer else None
            if longer and longer.count > block.count:
                found.append(longer)
    return found


def _over(block: Block, spot: Spot, limits: Limits) -> Block | None:
    """The block grown over a spot, where the hole between them and the length are allowed."""
    also, end = _block(spot, limits), block.address + block.count
    start, end_also = min(block.address, also.address), also.address + also.count
    hole = max(also.address - end, block.address - end_also)
    count = max(end, end_also) - start
    if hole > limits.max_hole or count > min(limits.max_read, MAX_READ_PDU):
        return None
    return Block(block.table, start, count, block.spots)


def split(block: Block, limits: Limits) -> tuple[Block, ...]:
    """The block's spots, each read apart: for a meter that refuses what lies between them."""
    return tuple(_block(spot, limits) for spot in block.spots)


def _block(spot: Spot, limits: Limits) -> Block:
    end = _aligned_end(spot.address + spot.count, spot.table, limits)
    start = spot.address - (spot.address % 2 if _aligns(spot.table, limits) else 0)
    return Block(spot.table, start, end - start, (spot,))


def _merge(block: Block, spot: Spot, limits: Limits) -> Block | None:
    if spot.table != block.table or spot.table == "coil":
        return None
    hole = spot.address - (block.address + block.count)
    end = max(
        block.address + block.count,
        _aligned_end(spot.address + spot.count, spot.table, limits),
    )
    if hole > limits.max_hole or end - block.address > min(limits.max_read, MAX_READ_PDU):
        return None
    return Block(block.table, block.address, end - block.address, (*block.spots, spot))


def _aligns(table: Table, limits: Limits) -> bool:
    return limits.even and table != "coil"


def _aligned_end(end: int, table: Table, limits: Limits) -> int:
    return end + (end % 2 if _aligns(table, limits) else 0)
