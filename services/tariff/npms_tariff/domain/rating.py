"""From a reading to a charge: charge = C(after) - C(before), in integers.

C is the cost of a scope's accumulators, each line rounded down once to the
micro-unit, so however readings were cut the charges of a scope add up to C of what
was used. `rate` has a quick way for a reading in the cell and block of the one
before; everything else takes `rate_across`, which does the same piece by piece.
"""

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import Cell
from npms_tariff.domain.state import UNBOUNDED_WH, Rated, RatingState
from npms_tariff.domain.tariff import WH_A_KWH

ENERGY = "energy"
DAILY = "daily"

Lines = dict[tuple[str, str, int], list[int]]
"""Energy in Wh and amount in micro-units by (component, period, block)."""


class NoPlanInForce(Exception):
    """No version of the plan was in force when the energy began to be used."""

    def __init__(self, installation_id: int, at_s: int) -> None:
        super().__init__(f"installation {installation_id} has no plan version in force at {at_s}")
        self.installation_id, self.at_s = installation_id, at_s


def rate(s: RatingState, at_s: int, register_wh: int, rated: Rated) -> None:
    """Rate one reading, later than the last and not below it; adds to `rated` what follows.

    Raises NoPlanInForce, before anything has changed.
    """
    energy_wh = register_wh - s.register_wh
    if at_s > s.until_s or energy_wh > s.room_wh:
        rate_across(s, at_s, register_wh, rated)
        return
    if energy_wh:
        price, slots, slot = s.price_micro, s.slots, s.slot
        slots[slot] = slot_wh = slots[slot] + energy_wh
        slot_micro = slot_wh * price // 1000
        amount = slot_micro - s.slot_micro
        s.slot_micro = slot_micro
        s.room_wh -= energy_wh
        s.energy_nano += energy_wh * price
        lines: list[ChargeLine] = [(ENERGY, s.period, s.block, energy_wh, amount)]
        tax = _tax(s, lines) if s.tax_micro else 0
        amount += tax
        s.hour_wh += energy_wh
        s.hour_micro += amount
        s.rated_wh += energy_wh
        s.charged_micro += amount
        rated.charges.append(
            (
                s.installation_id,
                s.account_id,
                s.register_wh,
                register_wh,
                s.read_at_s,
                at_s,
                s.plan_version_id,
                energy_wh,
                amount,
                tax,
                lines,
            )
        )
        s.register_wh = register_wh
    s.read_at_s = at_s
    s.readings_billed += 1


def _tax(s: RatingState, lines: list[ChargeLine]) -> int:
    """What every tax has grown by, as lines; returns the sum."""
    total, energy_nano, daily_nano, paid = 0, s.energy_nano, s.daily_nano, s.tax_micro
    assert s.tariff is not None
    for i, tax in enumerate(s.tariff.taxes):
        base_nano = energy_nano * tax.on_energy + daily_nano * tax.on_daily
        due = base_nano * tax.rate_ppm // 1_000_000_000
        grown = due - paid[i]
        if grown:
            paid[i] = due
            total += grown
            lines.append((tax.label, "", 0, 0, grown))
    return total


def rate_across(s: RatingState, at_s: int, register_wh: int, rated: Rated) -> None:
    """Rate a reading whatever lies between: cells, blocks, days, months, plan versions.

    Energy up to an instant is interpolated between the two registers, rounded down.
    A plan version that begins in between ends one charge and begins another.
    """
    from_s, from_wh = s.read_at_s, s.register_wh
    cell = s.cell if s.cell is not None else s.calendar.cell_at(from_s)
    if cell is None:
        raise NoPlanInForce(s.installation_id, from_s)
    span_s, energy_wh = at_s - from_s, register_wh - from_wh
    lines: Lines = {}
    while s.read_at_s < at_s:
        if s.read_at_s >= cell.end_s:
            cell = s.calendar.after(cell)
        if cell is not s.cell:
            if s.plan_version_id != cell.tariff.version_id:
                from_s, from_wh = _close_charge(s, lines, rated, from_s=from_s, from_wh=from_wh)
            _enter(s, cell, rated)
        upto_s = min(at_s, cell.end_s)
        gone_s = upto_s - (at_s - span_s)
        upto_wh = register_wh - energy_wh + energy_wh * gone_s // span_s
        _use(s, upto_wh - s.register_wh, lines)
        s.read_at_s, s.register_wh = upto_s, upto_wh
    _close_charge(s, lines, rated, from_s=from_s, from_wh=from_wh)
    s.readings_billed += 1


def _enter(s: RatingState, cell: Cell, rated: Rated) -> None:
    """Move the cursor into a cell, closing the hour and the scope that ended before it."""
    if cell.hour_s != s.hour_s:
        if s.hour_wh or s.hour_micro:
            rated.hours.append((s.installation_id, s.hour_s, s.hour_wh, s.hour_micro))
        s.hour_s, s.hour_wh, s.hour_micro = cell.hour_s, 0, 0
    tariff = cell.tariff
    if s.month != cell.month or s.plan_version_id != tariff.version_id:
        if s.tariff is not None:
            cost = s.tariff.cost_micro(s.slots, s.days)
            scope = (s.installation_id, s.plan_version_id, s.month, s.slots, s.days, cost)
            rated.scopes.append(scope)
        s.open_scope(tariff, cell.month)
    s.cell, s.until_s = cell, cell.end_s
    _aim(s, cell)


def _aim(s: RatingState, cell: Cell) -> None:
    """Point the cursor at the slot that takes the next Wh."""
    tariff = cell.tariff
    slot, room = tariff.block_at(s.slots, cell.period)
    s.slot, s.room_wh = slot, UNBOUNDED_WH if room is None else room
    s.price_micro = tariff.slot_prices[slot]
    s.slot_micro = s.slots[slot] * s.price_micro // WH_A_KWH
    s.period, s.block = tariff.labels[slot]


def _use(s: RatingState, energy_wh: int, lines: Lines) -> None:
    """Charge what was used within the cell, and the day if it is a new one."""
    cell = s.cell
    assert cell is not None
    before_micro = s.charged_micro
    if s.read_at_s >= s.paid_until_s:
        _begin_day(s, cell, lines)
    left_wh = energy_wh
    while left_wh > s.room_wh:
        left_wh -= s.room_wh
        _fill(s, s.room_wh, lines)
        _aim(s, cell)
    _fill(s, left_wh, lines)
    taxed: list[ChargeLine] = []
    s.charged_micro += _tax(s, taxed)
    for component, _, _, _, amount in taxed:
        _add(lines, (component, "", 0), energy_wh=0, amount_micro=amount)
    s.rated_wh += energy_wh
    s.hour_wh += energy_wh
    s.hour_micro += s.charged_micro - before_micro


def _begin_day(s: RatingState, cell: Cell, lines: Lines) -> None:
    daily_micro = cell.tariff.prices.daily_micro
    s.days += 1
    s.paid_until_s = cell.day_end_s
    if daily_micro:
        s.daily_nano += daily_micro * WH_A_KWH
        s.charged_micro += daily_micro
        _add(lines, (DAILY, "", 0), energy_wh=0, amount_micro=daily_micro)


def _fill(s: RatingState, energy_wh: int, lines: Lines) -> None:
    """Use so much of the slot the cursor points at; there is room for it."""
    if not energy_wh:
        return
    s.slots[s.slot] += energy_wh
    s.room_wh -= energy_wh
    s.energy_nano += energy_wh * s.price_micro
    slot_micro = s.slots[s.slot] * s.price_micro // WH_A_KWH
    amount, s.slot_micro = slot_micro - s.slot_micro, slot_micro
    s.charged_micro += amount
    _add(lines, (ENERGY, s.period, s.block), energy_wh=energy_wh, amount_micro=amount)


def _add(lines: Lines, key: tuple[str, str, int], *, energy_wh: int, amount_micro: int) -> None:
    line = lines.setdefault(key, [0, 0])
    line[0] += energy_wh
    line[1] += amount_micro


def _close_charge(
    s: RatingState, lines: Lines, rated: Rated, *, from_s: int, from_wh: int
) -> tuple[int, int]:
    """Make a charge of the lines so far; returns where the next one begins."""
    if lines:
        made: list[ChargeLine] = [(*key, wh, micro) for key, (wh, micro) in lines.items()]
        amount = sum(line[4] for line in made)
        tax = sum(line[4] for line in made if line[0].startswith("tax:"))
        rated.charges.append(
            (
                s.installation_id,
                s.account_id,
                from_wh,
                s.register_wh,
                from_s,
                s.read_at_s,
                s.plan_version_id,
                s.register_wh - from_wh,
                amount,
                tax,
                made,
            )
        )
        lines.clear()
    return s.read_at_s, s.register_wh
