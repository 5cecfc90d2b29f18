"""From a reading to a charge: charge = C(after) - C(before), in integers.

C is the cost of a scope's accumulators, each line rounded down once to the
micro-unit, so however readings were cut the charges of a scope add up to C of what
was used. `rate` has a quick way for a reading in the cell and block of the one
before; everything else takes `rate_across`, which does the same piece by piece.
"""

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import Cell
from npms_tariff.domain.plan import ENERGY, MINIMUM
from npms_tariff.domain.state import PAID_W, PEAK, WINDOW, Rated, RatingState, days_in
from npms_tariff.domain.tariff import ENERGY_INDEX, UNITS_A_PRICE

TAX = "tax:"

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
        s.nano[0] += energy_wh * price
        if s.block:
            s.paid_wh += energy_wh
        lines: list[ChargeLine] = [(ENERGY, s.period, s.block, energy_wh, amount)]
        tax = 0
        if len(s.nano) > 2:
            grown, tax = s.pay_derived(lines)
            amount += grown
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


def rate_across(s: RatingState, at_s: int, register_wh: int, rated: Rated) -> None:
    """Rate a reading whatever lies between: cells, blocks, days, months, plan versions.

    Energy up to an instant is interpolated between the two registers, rounded down.
    A plan version that begins in between ends one charge and begins another.
    Raises NoPlanInForce, before anything has changed.
    """
    s.moved = True
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
            if _leaves_scope(s, cell):
                _end_scope(s, lines, rated)
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


def finish(s: RatingState, rated: Rated) -> None:
    """Close the open scope, hour, day and month: nothing more will be rated."""
    s.moved = True
    lines: Lines = {}
    if s.tariff is not None:
        carried = s.used_by_period()
        _end_scope(s, lines, rated)
        _close_charge(s, lines, rated, from_s=s.read_at_s, from_wh=s.register_wh)
        s.slots, s.carried = s.tariff.no_use(), carried
        s.days = s.used_days = 0
        s.resume(s.tariff)
    _close_month(s, rated)
    s.until_s = s.room_wh = -1


def succeed(s: RatingState, old: RatingState) -> None:
    """Go on where the meter before stood in the month: blocks, free units, days, demand.

    `old` is finished, and `s` opened with the same tariff as it had last.
    """
    s.paid_until_s, s.used_until_s = old.paid_until_s, old.used_until_s
    cell = s.calendar.cell_at(s.read_at_s)
    if old.tariff is None or cell is None or cell.month != old.month:
        return
    s.plan_version_id, s.month, s.days_left = old.plan_version_id, old.month, cell.days_left
    s.slots, s.carried = old.tariff.no_use(), list(old.carried)
    s.demand = [
        part
        for item in range(len(old.demand) // 3)
        for part in (0, 0, max(old.peak_w(item), old.demand[item * 3 + PAID_W]))
    ]
    s.resume(old.tariff)


def _leaves_scope(s: RatingState, cell: Cell) -> bool:
    return s.month != cell.month or s.plan_version_id != cell.tariff.version_id


def _end_scope(s: RatingState, lines: Lines, rated: Rated) -> None:
    """Charge what the scope lacks of its minimum, and keep its accumulators."""
    if s.tariff is None:
        return
    before_micro = s.charged_micro
    minimum = s.tariff.prices.minimum
    if minimum is not None:
        due_nano = minimum.amount_micro * s.days // days_in(s.month) * UNITS_A_PRICE
        lacking = due_nano - sum(s.nano[index] for index in s.tariff.minimum_on)
        made: list[ChargeLine] = []
        s.pay(s.tariff.minimum_index, MINIMUM, max(0, lacking), made)
        s.pay_derived(made)
        _add_all(s, lines, made)
        s.hour_micro += s.charged_micro - before_micro
    rated.scopes.append(
        (
            s.installation_id,
            s.plan_version_id,
            s.month,
            s.slots,
            s.days,
            s.used_days,
            s.demand,
            s.cost_micro(),
        )
    )


def _enter(s: RatingState, cell: Cell, rated: Rated) -> None:
    """Move the cursor into a cell, closing the hour, day and month that ended before it."""
    if cell.hour_s != s.hour_s:
        if cell.month != s.month:
            _close_month(s, rated)
        elif cell.day_s != s.day_s:
            _close_day(s, rated)
        else:
            _close_hour(s, rated)
        s.hour_s = cell.hour_s
    if _leaves_scope(s, cell):
        s.open_scope(cell.tariff, cell)
        s.window_s = cell.window_s
    if cell.day_s != s.day_s:
        s.day_s = cell.day_s
        if cell.tariff.prices.blocks.reset == "day":
            s.day_slots = cell.tariff.by_period(s.slots)
    if cell.window_s != s.window_s:
        s.window_s = cell.window_s
        s.demand[WINDOW::3] = [0] * len(cell.tariff.highest)
    s.cell = cell
    s.until_s = -1 if _needs_care(s, cell) else cell.end_s
    s.aim(cell)


def _needs_care(s: RatingState, cell: Cell) -> bool:
    """Whether every reading in the cell moves more than its energy."""
    tariff = cell.tariff
    return bool(tariff.highest) or (tariff.skips_unused and s.used_until_s < cell.end_s)


def _close_hour(s: RatingState, rated: Rated) -> None:
    if s.hour_wh or s.hour_micro:
        rated.hours.append((s.installation_id, s.hour_s, s.hour_wh, s.hour_micro))
        s.day_wh += s.hour_wh
        s.day_micro += s.hour_micro
        s.hour_wh = s.hour_micro = 0


def _close_day(s: RatingState, rated: Rated) -> None:
    _close_hour(s, rated)
    if s.day_wh or s.day_micro:
        rated.days.append((s.installation_id, s.day_s, s.day_wh, s.day_micro))
        s.month_wh += s.day_wh
        s.month_micro += s.day_micro
        s.day_wh = s.day_micro = 0


def _close_month(s: RatingState, rated: Rated) -> None:
    _close_day(s, rated)
    if s.month_wh or s.month_micro:
        rated.months.append((s.installation_id, s.month, s.month_wh, s.month_micro))
        s.month_wh = s.month_micro = 0


def _use(s: RatingState, energy_wh: int, lines: Lines) -> None:
    """Charge what was used within the cell, and the day if it is a new one."""
    cell = s.cell
    assert cell is not None
    before_micro = s.charged_micro
    made: list[ChargeLine] = []
    moved = _count_days(s, energy_wh, cell)
    if cell.tariff.highest:
        _measure(s, energy_wh, cell)
        moved = True
    if moved:
        s.pay_standing(made)
    left_wh = energy_wh
    while left_wh > s.room_wh:
        left_wh -= s.room_wh
        _fill(s, s.room_wh, made)
        s.aim(cell)
    _fill(s, left_wh, made)
    s.pay_derived(made)
    _add_all(s, lines, made)
    s.rated_wh += energy_wh
    s.hour_wh += energy_wh
    s.hour_micro += s.charged_micro - before_micro


def _count_days(s: RatingState, energy_wh: int, cell: Cell) -> bool:
    """Count the day when it begins, and when something is used on it first."""
    counted = False
    if s.read_at_s >= s.paid_until_s:
        s.days += 1
        s.paid_until_s = cell.day_end_s
        counted = True
    if not cell.tariff.skips_unused:
        s.used_until_s = s.paid_until_s
    elif energy_wh and s.read_at_s >= s.used_until_s:
        s.used_days += 1
        s.used_until_s = cell.day_end_s
        counted = True
        if not cell.tariff.highest:
            s.until_s = cell.end_s
    return counted


def _measure(s: RatingState, energy_wh: int, cell: Cell) -> None:
    """Add to the running windows of measured demand."""
    name = cell.tariff.prices.periods[cell.period].name
    for item, demand in enumerate(cell.tariff.highest):
        if not demand.periods or name in demand.periods:
            at = item * 3
            s.demand[at + WINDOW] += energy_wh
            s.demand[at + PEAK] = max(s.demand[at + PEAK], s.demand[at + WINDOW])


def _fill(s: RatingState, energy_wh: int, made: list[ChargeLine]) -> None:
    """Use so much of the slot the cursor points at; there is room for it."""
    if not energy_wh:
        return
    s.slots[s.slot] += energy_wh
    s.room_wh -= energy_wh
    s.nano[ENERGY_INDEX] += energy_wh * s.price_micro
    if s.block:
        s.paid_wh += energy_wh
    slot_micro = s.slots[s.slot] * s.price_micro // UNITS_A_PRICE
    amount, s.slot_micro = slot_micro - s.slot_micro, slot_micro
    made.append((ENERGY, s.period, s.block, energy_wh, amount))


def _add_all(s: RatingState, lines: Lines, made: list[ChargeLine]) -> None:
    """Merge lines into those of the charge, and count what they add to what was charged."""
    for component, period, block, energy_wh, amount_micro in made:
        key = component, period, block
        line = lines.get(key)
        if line is None:
            lines[key] = [energy_wh, amount_micro]
        else:
            line[0] += energy_wh
            line[1] += amount_micro
        s.charged_micro += amount_micro


def _close_charge(
    s: RatingState, lines: Lines, rated: Rated, *, from_s: int, from_wh: int
) -> tuple[int, int]:
    """Make a charge of the lines so far; returns where the next one begins."""
    if lines:
        made: list[ChargeLine] = [(*key, wh, micro) for key, (wh, micro) in lines.items()]
        amount = tax = 0
        for component, _, _, _, micro in made:
            amount += micro
            if component.startswith(TAX):
                tax += micro
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
