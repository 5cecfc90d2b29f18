"""Which reads bring a set of points: few, inside the meter's limits."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from npms_meter_gateway.domain.point import NumberType, Point
from npms_meter_gateway.domain.profile import LOAD_LIMIT, RELAY, RELAY_FAULT, Limits, Profile
from npms_meter_gateway.domain.relay import Table

MAX_READ_PDU = 125


@dataclass(frozen=True, slots=True)
class RegisterSpan:
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
    spans: tuple[RegisterSpan, ...]


def spans_of(profile: Profile, names: Collection[str]) -> list[RegisterSpan]:
    """Where what is asked for stands, as far as the meter has it."""
    spans = [span_of(point) for name, point in profile.points.items() if name in names]
    relay, limit = profile.relay, profile.load_limit
    if relay and relay.read_back and RELAY in names:
        spans.append(RegisterSpan(RELAY, relay.read_back.table, relay.read_back.address, 1))
    if relay and relay.fault and RELAY_FAULT in names:
        spans.append(RegisterSpan(RELAY_FAULT, relay.fault.table, relay.fault.address, 1))
    if limit and LOAD_LIMIT in names:
        spans.append(RegisterSpan(LOAD_LIMIT, "holding", limit.address, 1))
    return spans


def span_of(point: Point) -> RegisterSpan:
    return RegisterSpan(point.name, point.table, point.address, NumberType(point.type).registers)


def plan(spans: Iterable[RegisterSpan], limits: Limits) -> tuple[Block, ...]:
    """Reads that cover all spans, merged while the hole and the length stay inside the limits."""
    blocks: list[Block] = []
    for span in sorted(spans, key=lambda s: (s.table, s.address)):
        merged = _merge(blocks[-1], span, limits) if blocks else None
        if merged is None:
            blocks.append(_block(span, limits))
        else:
            blocks[-1] = merged
    return tuple(blocks)


def tell_apart(
    blocks: Iterable[Block],
    others: Iterable[Block],
    spare: Collection[RegisterSpan],
    limits: Limits,
) -> tuple[Block, ...]:
    """The blocks, lengthened where that makes each of another length than any other of its table.

    In frames without a transaction (RTU) nothing but its length shows that a late answer belongs to
    another read. They are lengthened over `spare` spans only: registers that the meter serves. The
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


def _lengthened(block: Block, spare: Collection[RegisterSpan], limits: Limits) -> list[Block]:
    """The block over its next spare span, over two of them …; after it first, then before it."""
    near = [span for span in spare if span.table == block.table != "coil"]
    after = sorted((s for s in near if s.address >= block.address), key=lambda s: s.address)
    before = sorted((s for s in near if s.address < block.address), key=lambda s: -s.address)
    found: list[Block] = []
    for row in (after, before):
        longer: Block | None = block
        for span in row:
            longer = _over(longer, span, limits) if longer else None
            if longer and longer.count > block.count:
                found.append(longer)
    return found


def _over(block: Block, span: RegisterSpan, limits: Limits) -> Block | None:
    """The block grown over a span, where the hole between them and the length are allowed."""
    also, end = _block(span, limits), block.address + block.count
    start, end_also = min(block.address, also.address), also.address + also.count
    hole = max(also.address - end, block.address - end_also)
    count = max(end, end_also) - start
    if hole > limits.max_hole or count > min(limits.max_read, MAX_READ_PDU):
        return None
    return Block(block.table, start, count, block.spans)


def split(block: Block, limits: Limits) -> tuple[Block, ...]:
    """The block's spans, each read apart: for a meter that refuses what lies between them."""
    return tuple(_block(span, limits) for span in block.spans)


def _block(span: RegisterSpan, limits: Limits) -> Block:
    end = _aligned_end(span.address + span.count, span.table, limits)
    start = span.address - (span.address % 2 if _aligns(span.table, limits) else 0)
    return Block(span.table, start, end - start, (span,))


def _merge(block: Block, span: RegisterSpan, limits: Limits) -> Block | None:
    if span.table != block.table or span.table == "coil":
        return None
    hole = span.address - (block.address + block.count)
    end = max(
        block.address + block.count,
        _aligned_end(span.address + span.count, span.table, limits),
    )
    if hole > limits.max_hole or end - block.address > min(limits.max_read, MAX_READ_PDU):
        return None
    return Block(block.table, block.address, end - block.address, (*block.spans, span))


def _aligns(table: Table, limits: Limits) -> bool:
    return limits.even and table != "coil"


def _aligned_end(end: int, table: Table, limits: Limits) -> int:
    return end + (end % 2 if _aligns(table, limits) else 0)
