"""An oracle for the rater: from the written plan, minute by minute, in fractions.

It takes the plan as the JSON document that a person wrote and shares no code with
the service: local time is asked of zoneinfo for every minute, energy moves through
blocks piece by piece, and cost is a fraction until the rules round it down. Slow,
and meant to be read beside the description of the plan language.

The rules it follows:

- energy up to an instant is interpolated between two readings and rounded down;
- a scope is a local month under a plan version;
- what accrues by the days of a month is rounded down to a micro-unit;
- a share of other costs is taken before these are rounded, and is itself rounded down
  to a thousandth of a micro-unit; each line is rounded down once to a micro-unit;
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
    month: Used
    """What was used in the month, under earlier versions too."""
    used: Used = field(default_factory=Used)
    daily: dict[date, Used] = field(default_factory=lambda: defaultdict(Used))
    energy: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    free: int = 0
    days: int = 0
    days_used: int = 0
    ended: bool = False
    peaks_w: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    paid_w: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By demand: the highest average power, and what of it an earlier version has charged."""

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
    pieces = list(_pieces(versions, zone, readings))
    scopes = _scopes(versions, pieces, customer_class)
    _measure(scopes, pieces)
    for scope in list(scopes.values())[: None if finished else -1]:
        scope.ended = True
    total: Lines = {}
    for scope in scopes.values():
        for line, (wh, amount) in _lines(scope, customer_class, connected_w).items():
            before = total.get(line, (0, 0))
            total[line] = (before[0] + wh, before[1] + amount)
    return {line: cost for line, cost in total.items() if any(cost)}


# --- time ---------------------------------------------------------------------------------------


class _Times:
    """What applies at an instant; the bands of a day are looked up once."""

    def __init__(self, versions: list[tuple[int, Document]], zone: ZoneInfo) -> None:
        self._versions, self._zone = versions, zone
        self._starts = [at_s for at_s, _ in versions]
        self._bands: dict[tuple[int, date], list[tuple[int, int, str]]] = {}

    def at(self, at_s: int) -> tuple[int, date, tuple[int, int], str]:
        """The number of the version, the local day, the window and the period."""
        local = datetime.fromtimestamp(at_s, self._zone)
        offset = local.utcoffset()
        assert offset is not None
        offset_s = int(offset.total_seconds())
        version, day = bisect_right(self._starts, at_s) - 1, local.date()
        key = (version, day)
        if key not in self._bands:
            self._bands[key] = bands_of(self._versions[version][1], day)
        minute = local.hour * 60 + local.minute
        found = [period for start, end, period in self._bands[key] if start <= minute < end]
        assert len(found) == 1, f"{len(found)} periods apply at {local}"
        return version, day, (offset_s, (at_s + offset_s) // 900), found[0]


def _pieces(
    versions: list[tuple[int, Document]], zone: ZoneInfo, readings: list[tuple[int, int]]
) -> Iterator[Piece]:
    times = _Times(versions, zone)
    for (from_s, from_wh), (to_s, to_wh) in pairwise(readings):
        done_wh, told = from_wh, times.at(from_s)
        for at_s in range(from_s - from_s % MINUTE_S + MINUTE_S, to_s, MINUTE_S):
            now = times.at(at_s)
            if now != told:
                gone = Fraction((to_wh - from_wh) * (at_s - from_s), to_s - from_s)
                yield Piece(*told, from_wh + floor(gone) - done_wh)
                done_wh, told = from_wh + floor(gone), now
        yield Piece(*told, to_wh - done_wh)


def bands_of(document: Document, day: date) -> list[tuple[int, int, str]]:
    """(first minute, minute after the last, period) of a local day."""
    schedule = document["energy"].get("schedule", [])
    if not schedule:
        return [(0, 1440, str(document["energy"]["periods"][0]["name"]))]
    season, weekday = _season(document, day), _weekday(document, day)
    return [
        (_minute(band["from"]), _minute(band["to"]), str(band["period"]))
        for band in schedule
        if weekday in band["weekdays"] and season in (band.get("seasons") or [season])
    ]


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _weekday(document: Document, day: date) -> str:
    holidays = document.get("holidays", [])
    if f"{day:%m-%d}" in holidays or f"{day:%Y-%m-%d}" in holidays:
        return "hol"
    return DAYS[day.weekday()]


def _season(document: Document, day: date) -> str | None:
    at = f"{day:%m-%d}"
    for season in document.get("seasons", []):
        first, last = season["from"], season["to"]
        within = first <= at <= last if first <= last else at >= first or at <= last
        if within:
            return str(season["name"])
    return None


# --- energy -------------------------------------------------------------------------------------


def _scopes(
    versions: list[tuple[int, Document]], pieces: list[Piece], customer_class: str
) -> dict[tuple[int, int, int], Scope]:
    """By year, month and version, in the order of time."""
    scopes: dict[tuple[int, int, int], Scope] = {}
    begun: set[date] = set()
    settled: set[date] = set()
    month = Used()
    for piece in pieces:
        key = (piece.day.year, piece.day.month, piece.version)
        if key not in scopes:
            document = versions[piece.version][1]
            month = _carried(month, document) if _follows(scopes, key) else Used()
            scopes[key] = Scope(document, piece.day, month)
        scope = scopes[key]
        scope.days += piece.day not in begun
        begun.add(piece.day)
        if piece.wh:
            scope.days_used += piece.day not in settled
            _use(scope, piece, customer_class)
        if piece.wh or not _skips(scope.document):
            settled.add(piece.day)
    return scopes


def _follows(scopes: dict[tuple[int, int, int], Scope], key: tuple[int, int, int]) -> bool:
    """Whether the last scope was of the same month."""
    return bool(scopes) and list(scopes)[-1][:2] == key[:2]


def _carried(month: Used, document: Document) -> Used:
    """The month so far under a new version: what was used in periods that it does not have counts
    in its first one."""
    names = [str(period["name"]) for period in document["energy"]["periods"]]
    made = Used()
    for period, wh in month.by_period.items():
        made.add(period if period in names else names[0], wh)
    return made


def _skips(document: Document) -> bool:
    """Whether the version has charges only for days on which something is used. One without
    settles a day though nothing is used: a later version does not charge it again."""
    return any(fixed.get("off_supply") == "skip" for fixed in document.get("fixed", []))


def _use(scope: Scope, piece: Piece, customer_class: str) -> None:
    document, period, left = scope.document, piece.period, piece.wh
    while left:
        block, room = _block(scope, period, piece.day)
        gift = _free_units(document, customer_class) - scope.month.total
        take = min(n for n in (left, room, gift if gift > 0 else None) if n is not None)
        if gift > 0:
            scope.free += take
        else:
            scope.energy[(period, block)] += take
        for used in (scope.used, scope.month, scope.daily[piece.day]):
            used.add(period, take)
        left -= take


def _block(scope: Scope, period: str, day: date) -> tuple[int, int | None]:
    """The block, counted from 1, that the next energy falls into, and the room it has."""
    document, counted = scope.document, scope.month
    if _block_rule(document, "size", "fixed") != "fixed":
        counted = scope.used
    elif _block_rule(document, "reset", "month") == "day":
        counted = scope.daily[day]
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


def _measure(scopes: dict[tuple[int, int, int], Scope], pieces: list[Piece]) -> None:
    """Find the highest average power of each demand in each scope, and what of it was paid under
    the version before in the same month."""
    for key, scope in scopes.items():
        windows: dict[tuple[Any, ...], int] = defaultdict(int)
        for piece in pieces:
            if (piece.day.year, piece.day.month, piece.version) == key:
                for demand, window in _windows(scope.document, piece):
                    windows[(demand, *window)] += piece.wh
        for (name, minutes, *_), wh in windows.items():
            scope.peaks_w[name] = max(scope.peaks_w[name], wh * 60 // minutes)
    for (key, before), (later, scope) in pairwise(scopes.items()):
        if key[:2] == later[:2]:
            for demand in _highest(before.document):
                name = demand["name"]
                scope.paid_w[name] = max(before.peaks_w[name], before.paid_w[name])


def _windows(document: Document, piece: Piece) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The windows that a piece lies in, one for each demand that counts its period."""
    for demand in _highest(document):
        if piece.period in (demand.get("periods") or [piece.period]):
            minutes = demand.get("window_minutes", 60)
            offset_s, quarter = piece.window
            yield demand["name"], (minutes, piece.day, offset_s, quarter * 15 // minutes)


def _highest(document: Document) -> list[Document]:
    return [demand for demand in document.get("demand", []) if demand["of"] == "highest"]


# --- money --------------------------------------------------------------------------------------


class _Bill:
    """The lines of a scope so far, and what each component costs before it is rounded."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self.exact: dict[str, Fraction] = defaultdict(Fraction)

    def say(self, line: str, name: str, cost: Fraction) -> None:
        self.exact[name] = cost
        self.lines[(line, "", 0)] = (0, floor(cost) if cost >= 0 else -floor(-cost))

    def base(self, rule: Document) -> Fraction:
        return sum((self.exact[name] for name in rule["on"]), Fraction(0))

    def share(self, rule: Document) -> Fraction:
        return Fraction(floor(self.base(rule) * rule["rate_ppm"] / 1000), 1000)


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
    due = floor(micro(minimum["amount"]) * scope.days / scope.days_of_month)
    return max(due - bill.base(minimum), Fraction(0))


def _fixed(scope: Scope, fixed: Document) -> Fraction:
    days = scope.days_used if fixed.get("off_supply") == "skip" else scope.days
    amount = micro(fixed["amount"])
    if fixed.get("per", "day") == "day":
        return amount * days
    return Fraction(floor(amount * days / scope.days_of_month))


def _demand(scope: Scope, demand: Document, connected_w: int) -> Fraction:
    price = micro(demand["price"])
    if demand["of"] == "connected":
        month = floor(price * connected_w / 1000)
        return Fraction(month * scope.days // scope.days_of_month)
    rose_w = scope.peaks_w[demand["name"]] - scope.paid_w[demand["name"]]
    return price * max(rose_w, 0) / 1000
