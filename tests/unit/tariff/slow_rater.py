"""An oracle for the rater: from the written plan, minute by minute, in fractions.

It takes the plan as the JSON document that a person wrote and shares no code with
the service: local time is asked of zoneinfo for every minute, energy moves through
blocks piece by piece, and cost is a fraction until the rules round it down. Slow,
and meant to be read beside the description of the plan language.

The rules it follows:

- energy up to an instant is interpolated between two readings and rounded down;
- a scope is a local month under a plan version;
- a cost that a share is taken of is rounded down to a thousandth of a micro-unit,
  each line once to a micro-unit;
- the minimum is charged only where the scope has ended.
"""

from bisect import bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

MINUTE_S = 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Document = dict[str, Any]
Line = tuple[str, str, int]
"""(component, period, block)"""
Lines = dict[Line, tuple[int, int]]
"""(energy in base units, amount in micro-units) by line; lines of nothing are left out."""


def micro(text: str) -> Fraction:
    """Micro-units of a written amount."""
    return Fraction(Decimal(text)) * 10**6


def base_units(text: str) -> int:
    """Wh, litres or dm³ of a written quantity of units."""
    return int(Decimal(text) * 1000)


@dataclass(frozen=True)
class Piece:
    """A stretch in which nothing changes but the block."""

    version: int
    day: date
    window: tuple[int, int]
    """(offset from UTC, number of the quarter-hour of local time): windows are made of these."""
    period: str
    wh: int


@dataclass
class Used:
    """Energy of a month, a day or a scope so far."""

    total: int = 0
    by_period: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, period: str, wh: int) -> None:
        self.total += wh
        self.by_period[period] += wh

    def position(self, document: Document, period: str) -> int:
        if _block_rule(document, "count", "all") == "all":
            return self.total
        return self.by_period[period]


@dataclass
class Scope:
    """A local month under one version: what was used in it, and how."""

    document: Document
    begins: date
    used: Used = field(default_factory=Used)
    energy: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    free: int = 0
    days: int = 0
    days_used: int = 0
    ended: bool = False
    peaks: dict[str, int] = field(default_factory=dict)
    """By demand component: energy of a window by which the highest rose in this scope."""

    @property
    def days_of_month(self) -> int:
        return monthrange(self.begins.year, self.begins.month)[1]

    @property
    def days_ahead(self) -> int:
        """From the scope's first day to the end of the month, both counted."""
        return self.days_of_month - self.begins.day + 1


def rate(
    versions: list[tuple[int, Document]],
    zone: ZoneInfo,
    readings: list[tuple[int, int]],
    *,
    customer_class: str = "",
    connected_w: int = 0,
    finished: bool = False,
) -> Lines:
    """What all readings (seconds, register) cost together.

    `versions` are (takes over at, document), the first from before the readings on;
    all change on full minutes. `finished`: the last scope has ended too.
    """
    total: dict[Line, tuple[int, int]] = {}
    for scope in _scopes(versions, zone, readings, customer_class, finished=finished):
        for line, (wh, amount) in _lines(scope, customer_class, connected_w).items():
            before = total.get(line, (0, 0))
            total[line] = (before[0] + wh, before[1] + amount)
    return {line: cost for line, cost in total.items() if any(cost)}


# --- time ---------------------------------------------------------------------------------------


def _pieces(
    versions: list[tuple[int, Document]], zone: ZoneInfo, readings: list[tuple[int, int]]
) -> Iterator[Piece]:
    starts = [at_s for at_s, _ in versions]
    for (from_s, from_wh), (to_s, to_wh) in pairwise(readings):
        minutes = range(from_s - from_s % MINUTE_S + MINUTE_S, to_s, MINUTE_S)
        done_wh, told = from_wh, None
        for at_s, end_s in pairwise([from_s, *minutes, to_s]):
            now = _circumstances(versions, starts, zone, at_s)
            if told is not None and now != told:
                upto_wh = _register(at_s, from_s, from_wh, to_s, to_wh)
                yield Piece(*told, upto_wh - done_wh)
                done_wh = upto_wh
            told = now
            if end_s == to_s:
                yield Piece(*now, to_wh - done_wh)


def _register(at_s: int, from_s: int, from_wh: int, to_s: int, to_wh: int) -> int:
    return from_wh + floor(Fraction((to_wh - from_wh) * (at_s - from_s), to_s - from_s))


def _circumstances(
    versions: list[tuple[int, Document]], starts: list[int], zone: ZoneInfo, at_s: int
) -> tuple[int, date, tuple[int, int], str]:
    local = datetime.fromtimestamp(at_s, zone)
    offset = local.utcoffset()
    assert offset is not None
    offset_s = int(offset.total_seconds())
    version = bisect_right(starts, at_s) - 1
    period = period_at(versions[version][1], local)
    return version, local.date(), (offset_s, (at_s + offset_s) // 900), period


def period_at(document: Document, local: datetime) -> str:
    """The price period of a local time."""
    schedule = document["energy"].get("schedule", [])
    if not schedule:
        return str(document["energy"]["periods"][0]["name"])
    clock = f"{local:%H:%M}"
    season, weekday = _season(document, local), _weekday(document, local)
    found = [
        band["period"]
        for band in schedule
        if weekday in band["weekdays"]
        and band["from"] <= clock < band["to"]
        and season in band.get("seasons", [season])
    ]
    assert len(found) == 1, f"{len(found)} periods apply at {local}"
    return str(found[0])


def _weekday(document: Document, local: datetime) -> str:
    holidays = document.get("holidays", [])
    if f"{local:%m-%d}" in holidays or f"{local:%Y-%m-%d}" in holidays:
        return "hol"
    return DAYS[local.weekday()]


def _season(document: Document, local: datetime) -> str | None:
    day = f"{local:%m-%d}"
    for season in document.get("seasons", []):
        first, last = season["from"], season["to"]
        within = first <= day <= last if first <= last else day >= first or day <= last
        if within:
            return str(season["name"])
    return None


# --- energy -------------------------------------------------------------------------------------


def _scopes(
    versions: list[tuple[int, Document]],
    zone: ZoneInfo,
    readings: list[tuple[int, int]],
    customer_class: str,
    *,
    finished: bool,
) -> list[Scope]:
    scopes: dict[tuple[int, int, int], Scope] = {}
    months: dict[tuple[int, int], Used] = defaultdict(Used)
    days: dict[date, Used] = {}
    pieces = list(_pieces(versions, zone, readings))
    for piece in pieces:
        key = (piece.day.year, piece.day.month, piece.version)
        if key not in scopes:
            scopes[key] = Scope(versions[piece.version][1], piece.day)
        scope, month = scopes[key], months[key[:2]]
        if piece.day not in days:
            scope.days += 1
        day = days.setdefault(piece.day, Used())
        if piece.wh and not day.total:
            scope.days_used += 1
        _use(scope, piece, month=month, day=day, customer_class=customer_class)
    for key, peaks in _peaks(versions, pieces).items():
        scopes[key].peaks = peaks
    in_order = list(scopes.values())
    for scope in in_order[: None if finished else -1]:
        scope.ended = True
    return in_order


def _use(scope: Scope, piece: Piece, *, month: Used, day: Used, customer_class: str) -> None:
    document, period, left = scope.document, piece.period, piece.wh
    while left:
        block, room = _block(scope, period, month=month, day=day)
        gift = _free_units(document, customer_class) - month.total
        take = min(n for n in (left, room, gift if gift > 0 else None) if n is not None)
        if gift > 0:
            scope.free += take
        else:
            scope.energy[(period, block)] += take
        for used in (scope.used, month, day):
            used.add(period, take)
        left -= take


def _block(scope: Scope, period: str, *, month: Used, day: Used) -> tuple[int, int | None]:
    """The block, counted from 1, that the next energy falls into, and the room it has."""
    document = scope.document
    if _block_rule(document, "size", "fixed") != "fixed":
        counted = scope.used
    else:
        counted = day if _block_rule(document, "reset", "month") == "day" else month
    position = counted.position(document, period)
    for i, block in enumerate(_period(document, period)["blocks"]):
        bound = _bound(scope, block.get("upto"))
        if bound is None or bound > position:
            return i + 1, None if bound is None else bound - position
    raise AssertionError("the last block is open")


def _bound(scope: Scope, upto: str | None) -> int | None:
    if upto is None:
        return None
    size, bound = _block_rule(scope.document, "size", "fixed"), base_units(upto)
    if size == "prorated":
        return floor(Fraction(bound * scope.days_ahead, scope.days_of_month))
    return bound * scope.days_ahead if size == "per_day" else bound


def _block_rule(document: Document, name: str, default: str) -> str:
    return str(document["energy"].get("blocks", {}).get(name, default))


def _period(document: Document, name: str) -> Document:
    return next(p for p in document["energy"]["periods"] if p["name"] == name)


def _free_units(document: Document, customer_class: str) -> int:
    free = document.get("free_units")
    if free is None or not _is_for(free, customer_class):
        return 0
    return base_units(free["units"])


def _is_for(rule: Document, customer_class: str) -> bool:
    return not rule.get("classes") or customer_class in rule["classes"]


# --- power --------------------------------------------------------------------------------------


def _peaks(
    versions: list[tuple[int, Document]], pieces: list[Piece]
) -> dict[tuple[int, int, int], dict[str, int]]:
    """By scope and demand component: window energy by which the month's highest rose."""
    windows: dict[tuple[int, int, int], dict[tuple[Any, ...], int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for piece in pieces:
        scope = (piece.day.year, piece.day.month, piece.version)
        for demand in _highest(versions[piece.version][1]):
            if piece.period in demand.get("periods", [piece.period]):
                quarters = demand.get("window_minutes", 60) // 15
                offset_s, quarter = piece.window
                window = (demand["name"], piece.day, offset_s, quarter // quarters)
                windows[scope][window] += piece.wh
    paid: dict[tuple[int, int, str], int] = defaultdict(int)
    rose: dict[tuple[int, int, int], dict[str, int]] = {}
    for scope in sorted(windows):
        top: dict[str, int] = defaultdict(int)
        for window, wh in windows[scope].items():
            top[window[0]] = max(top[window[0]], wh)
        rose[scope] = {}
        for name, wh in top.items():
            before = paid[(*scope[:2], name)]
            rose[scope][name] = max(wh - before, 0)
            paid[(*scope[:2], name)] = max(wh, before)
    return rose


def _highest(document: Document) -> list[Document]:
    return [demand for demand in document.get("demand", []) if demand["of"] == "highest"]


# --- money --------------------------------------------------------------------------------------


class _Bill:
    """The lines of a scope so far, and what each component costs before it is rounded."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self.exact: dict[str, Fraction] = defaultdict(Fraction)

    def say(self, line: str, name: str, cost: Fraction) -> None:
        self.exact[name] = _thousandths(cost)
        self.lines[(line, "", 0)] = (0, floor(cost) if cost >= 0 else -floor(-cost))

    def base(self, rule: Document) -> Fraction:
        return sum((self.exact[name] for name in rule["on"]), Fraction(0))

    def share(self, rule: Document) -> Fraction:
        return _thousandths(self.base(rule) * Fraction(rule["rate_ppm"], 10**6))


def _lines(scope: Scope, customer_class: str, connected_w: int) -> Lines:
    document, bill = scope.document, _Bill()
    _say_energy(bill, scope)
    for fixed in document.get("fixed", []):
        if fixed.get("collect") != "first_vend":
            bill.say(f"fixed:{fixed['name']}", fixed["name"], _fixed(scope, fixed))
    for demand in document.get("demand", []):
        cost = _demand(scope, demand, connected_w)
        bill.say(f"demand:{demand['name']}", demand["name"], cost)
    for levy in document.get("levies", []):
        bill.say(f"levy:{levy['name']}", levy["name"], _levy(bill, scope, levy))
    for discount in document.get("discounts", []):
        if _is_for(discount, customer_class):
            bill.say(f"discount:{discount['name']}", discount["name"], -bill.share(discount))
    minimum = document.get("minimum")
    if minimum is not None and scope.ended:
        bill.say("minimum", "minimum", _lack(bill, scope, minimum))
    for tax in document.get("taxes", []):
        bill.say(f"tax:{tax['name']}", tax["name"], bill.share(tax))
    return bill.lines


def _say_energy(bill: _Bill, scope: Scope) -> None:
    bill.lines[("energy", "free", 0)] = (scope.free, 0)
    for (period, block), wh in scope.energy.items():
        price = micro(_period(scope.document, period)["blocks"][block - 1]["price"])
        cost = price * wh / 1000
        bill.exact["energy"] += cost
        bill.lines[("energy", period, block)] = (wh, floor(cost))


def _levy(bill: _Bill, scope: Scope, levy: Document) -> Fraction:
    per_unit = levy.get("per_unit")
    if per_unit is None:
        return bill.share(levy)
    return micro(per_unit) * (scope.used.total - scope.free) / 1000


def _lack(bill: _Bill, scope: Scope, minimum: Document) -> Fraction:
    due = micro(minimum["amount"]) * Fraction(scope.days, scope.days_of_month)
    return max(_thousandths(due) - bill.base(minimum), Fraction(0))


def _thousandths(cost: Fraction) -> Fraction:
    """Rounded to a thousandth of a micro-unit, towards nothing."""
    size = Fraction(floor(abs(cost) * 1000), 1000)
    return size if cost >= 0 else -size


def _fixed(scope: Scope, fixed: Document) -> Fraction:
    days = scope.days_used if fixed.get("off_supply") == "skip" else scope.days
    share = days if fixed.get("per", "day") == "day" else Fraction(days, scope.days_of_month)
    return micro(fixed["amount"]) * share


def _demand(scope: Scope, demand: Document, connected_w: int) -> Fraction:
    price = micro(demand["price"])
    if demand["of"] == "connected":
        return price * connected_w / 1000 * Fraction(scope.days, scope.days_of_month)
    hours = Fraction(demand.get("window_minutes", 60), 60)
    return price * scope.peaks.get(demand["name"], 0) / 1000 / hours
