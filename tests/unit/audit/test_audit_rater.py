"""The audit's rater against examples worked out by hand."""

from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from npms_operations.audit.rater.almanac import Almanac
from npms_operations.audit.rater.bill import Bill, bill
from npms_operations.audit.rater.plan import Band, Block, Fixed, Share, Version

NAIROBI, BERLIN, HAVANA = ZoneInfo("Africa/Nairobi"), ZoneInfo("Europe/Berlin"), ZoneInfo("Cuba")
EVERY_DAY = frozenset(range(7))


def at(text: str, zone: ZoneInfo = NAIROBI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def open_at(price: int | Fraction) -> list[Block]:
    return [Block(None, Fraction(price))]


def stepped(upto_wh: int, lower: int, upper: int) -> list[Block]:
    return [Block(upto_wh, Fraction(lower)), Block(None, Fraction(upper))]


def daily(amount_micro: int) -> tuple[Fixed, ...]:
    return (Fixed("daily", amount_micro),)


def version(**changes: object) -> Version:
    plain: dict[str, object] = {
        "version_id": 1,
        "valid_from_s": 0,
        "blocks": {"all": open_at(20_000)},
    }
    return Version(**(plain | changes))  # type: ignore[arg-type]


DAY_AND_NIGHT = (
    Band("day", EVERY_DAY, 6 * 60, 22 * 60),
    Band("night", EVERY_DAY, 0, 6 * 60),
    Band("night", EVERY_DAY, 22 * 60, 24 * 60),
)
TWO_PRICES = {"day": open_at(30_000), "night": open_at(10_000)}


def billed(*versions: Version, readings: list[tuple[int, int]], zone: ZoneInfo = NAIROBI) -> Bill:
    almanac = Almanac(versions, zone, from_s=readings[0][0], to_s=readings[-1][0])
    return bill(readings[0], readings[1:], almanac)


def test_a_flat_price_is_energy_times_price():
    made = billed(
        version(), readings=[(at("2026-03-01T10:00"), 500), (at("2026-03-01T11:00"), 1750)]
    )
    assert (made.energy_wh, made.cost_micro, made.tax_micro) == (1250, 25_000_000, 0)


def test_each_line_is_rounded_down_once_however_readings_are_cut():
    start, plan = at("2026-03-01T10:00"), version(blocks={"all": open_at(Fraction(333, 1000))})
    fine = [(start + 60 * i, i) for i in range(101)]
    assert billed(plan, readings=fine).cost_micro == 33
    assert billed(plan, readings=[fine[0], fine[-1]]).cost_micro == 33


def test_energy_across_a_band_s_edge_is_split_by_time_and_rounded_down_before_it():
    plan = version(blocks=TWO_PRICES, bands=DAY_AND_NIGHT)
    made = billed(plan, readings=[(at("2026-03-01T05:40"), 0), (at("2026-03-01T06:10"), 100)])
    (scope,) = made.scopes
    assert scope.energy_wh == {("night", 0): 66, ("day", 0): 34}


def test_blocks_fill_in_the_order_of_use_over_all_periods():
    blocks = {"day": stepped(150, 1, 2), "night": stepped(150, 3, 4)}
    plan = version(blocks=blocks, bands=DAY_AND_NIGHT)
    readings = [
        (at("2026-03-01T05:00"), 0),
        (at("2026-03-01T06:00"), 100),
        (at("2026-03-01T07:00"), 200),
    ]
    (scope,) = billed(plan, readings=readings).scopes
    assert scope.energy_wh == {("night", 0): 100, ("day", 0): 50, ("day", 1): 50}


def test_blocks_of_each_period_by_itself():
    blocks = {"day": stepped(90, 1, 2), "night": stepped(90, 3, 4)}
    plan = version(blocks=blocks, bands=DAY_AND_NIGHT, counts_periods=True)
    readings = [
        (at("2026-03-01T05:00"), 0),
        (at("2026-03-01T06:00"), 100),
        (at("2026-03-01T07:00"), 200),
    ]
    (scope,) = billed(plan, readings=readings).scopes
    assert scope.energy_wh == {
        ("night", 0): 90,
        ("night", 1): 10,
        ("day", 0): 90,
        ("day", 1): 10,
    }


def test_blocks_begin_anew_with_the_local_month():
    plan = version(blocks={"all": stepped(100, 1, 9)})
    readings = [(at("2026-03-31T23:00"), 0), (at("2026-04-01T01:00"), 240)]
    march, april = billed(plan, readings=readings).scopes
    assert march.energy_wh == april.energy_wh == {("all", 0): 100, ("all", 1): 20}


def test_a_day_of_which_any_time_was_supplied_costs_once():
    plan = version(fixed=daily(500))
    start = at("2026-03-01T23:59")
    assert billed(plan, readings=[(start, 0), (start + 60, 0)]).cost_micro == 500
    assert billed(plan, readings=[(start, 0), (start + 61, 0)]).cost_micro == 1000
    assert billed(plan, readings=[(start, 0), (start + 10, 0), (start + 61, 0)]).cost_micro == 1000


def test_a_day_is_paid_under_the_version_that_began_it():
    changed = at("2026-03-02T12:00")
    old = version(fixed=daily(500))
    new = version(version_id=2, valid_from_s=changed, fixed=daily(7))
    made = billed(old, new, readings=[(at("2026-03-02T08:00"), 0), (at("2026-03-03T08:00"), 0)])
    assert made.cost_micro == 507


def test_taxes_are_shares_of_the_unrounded_cost():
    taxes = (
        Share("tax:a", "a", Fraction(16, 100), ("energy",)),
        Share("tax:b", "b", Fraction(1, 2), ("energy", "daily")),
    )
    plan = version(blocks={"all": open_at(Fraction(1, 3))}, fixed=daily(10), taxes=taxes)
    made = billed(plan, readings=[(at("2026-03-01T10:00"), 0), (at("2026-03-01T11:00"), 100)])
    assert made.tax_micro == 5 + 21  # 0.16 x 33.33, 0.5 x 43.33
    assert made.cost_micro == 33 + 10 + 26


def test_days_of_23_and_25_hours():
    plan = version(blocks=TWO_PRICES, bands=DAY_AND_NIGHT)
    for day, night_wh in (("2026-03-29", 700), ("2026-10-25", 900)):
        begins = at(f"{day}T00:00", BERLIN)
        ends = int(datetime.fromisoformat(f"{day}T23:59:59").replace(tzinfo=BERLIN).timestamp()) + 1
        readings = [(begins, 0), (ends, (ends - begins) // 36)]
        (scope,) = billed(plan, readings=readings, zone=BERLIN).scopes
        assert scope.energy_wh == {("night", 0): night_wh, ("day", 0): 1600}


def test_a_day_runs_from_its_first_midnight_even_where_midnight_comes_twice():
    begins = int(datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp())
    almanac = Almanac([version()], HAVANA, from_s=begins, to_s=begins + 86_400)
    first_midnight = next(p.from_s for p in almanac.pieces if p.day == date(2026, 11, 1))
    assert first_midnight == int(datetime(2026, 11, 1, 4, tzinfo=UTC).timestamp())
    days = [piece.day for piece in almanac.pieces]
    assert days == sorted(days)


def test_before_the_first_version_nothing_is_covered():
    changed = at("2026-03-02T12:00")
    almanac = Almanac(
        [version(valid_from_s=changed)], NAIROBI, from_s=changed - 10, to_s=changed + 10
    )
    assert not almanac.covers(changed - 1)
    assert almanac.covers(changed)
    assert not Almanac([], NAIROBI, from_s=0, to_s=10).covers(5)
