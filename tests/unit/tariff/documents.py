"""Plan documents of the whole language, as a person might write them."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

WORKING, WEEKEND = ("mon", "tue", "wed", "thu", "fri"), ("sat", "sun")
CLASSES = ("", "social", "indigent")
HOLIDAYS = ("01-31", "03-29", "2026-03-30", "10-25", "2026-11-01", "04-05", "09-06", "12-25")
"""Some of them are near the starts of the readings, at ends of months and where clocks change."""
_LEAP_YEAR = date(2028, 1, 1)

prices = st.integers(0, 90_000_000).map(lambda micro: f"{micro // 10**6}.{micro % 10**6:06d}")
amounts = st.sampled_from(["0", "5", "120.000001", "0.333333", "31.07"])
shares = st.sampled_from([0, 1, 50_000, 160_000]) | st.integers(0, 400_000)
classes = st.sampled_from([{}, {"classes": ["social"]}, {"classes": ["social", "indigent"]}])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Any valid plan: every part may be there or not."""
    seasons = draw(season_lists())
    holidays = draw(st.lists(st.sampled_from(HOLIDAYS), max_size=3, unique=True))
    names = ("off", "shoulder", "peak")[: draw(st.integers(1, 3))]
    energy: Document = {"periods": [draw(periods(name)) for name in names]}
    if len(names) > 1:
        energy["schedule"] = draw(schedules(names, [s["name"] for s in seasons], holidays))
    rule = draw(block_rules())
    document: Document = {"energy": {**energy, **({"blocks": rule} if rule else {})}}
    if seasons:
        document["seasons"] = seasons
    if holidays and len(names) > 1:
        document["holidays"] = holidays
    if draw(st.booleans()):
        units = draw(st.sampled_from(["0.001", "0.5", "3"]))
        document["free_units"] = {"units": units, **draw(classes)}
    return draw(_with_components(document, names))


@st.composite
def season_lists(draw: st.DrawFn) -> list[Document]:
    """None, or two or three that cover the year, one of them over new year."""
    cuts = sorted(draw(st.sets(st.integers(0, 365), max_size=3)))
    if len(cuts) < 2:
        return []
    days = [_LEAP_YEAR + timedelta(days=cut) for cut in cuts]
    return [
        {
            "name": f"season{i}",
            "from": f"{first:%m-%d}",
            "to": f"{following - timedelta(days=1):%m-%d}",
        }
        for i, (first, following) in enumerate(pairwise([*days, days[0].replace(year=2032)]))
    ]


@st.composite
def periods(draw: st.DrawFn, name: str) -> Document:
    bounds = sorted(draw(st.sets(st.integers(1, 4000), max_size=2)))
    blocks = [{"upto": f"{wh / 1000:.3f}", "price": draw(prices)} for wh in bounds]
    return {"name": name, "blocks": [*blocks, {"price": draw(prices)}]}


@st.composite
def schedules(
    draw: st.DrawFn, names: tuple[str, ...], seasons: list[str], holidays: list[str]
) -> list[Document]:
    groups = [[name] for name in seasons] or [[]]
    if len(groups) > 2 and draw(st.booleans()):
        groups = [seasons[:2], seasons[2:]]
    days = draw(st.sampled_from([[WORKING, WEEKEND], [(*WORKING, *WEEKEND)]]))
    days = [*days, ("hol",)] if holidays else days
    bands = []
    for group in groups:
        for weekdays in days:
            cuts = sorted(draw(st.sets(st.integers(1, 1439), max_size=3)))
            bands += [
                {"period": draw(st.sampled_from(names)), "weekdays": list(weekdays),
                 "from": clock(start), "to": clock(end), **({"seasons": group} if group else {})}
                for start, end in pairwise([0, *cuts, 1440])
            ]  # fmt: skip
    return bands


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@st.composite
def block_rules(draw: st.DrawFn) -> Document:
    rule = {"count": draw(st.sampled_from(["all", "period"]))}
    kind = draw(st.sampled_from(["", "month", "day", "prorated", "per_day"]))
    if kind in {"month", "day"}:
        rule |= {"reset": kind, "size": "fixed"}
    elif kind:
        rule |= {"size": kind}
    return rule


@st.composite
def _with_components(draw: st.DrawFn, document: Document, names: tuple[str, ...]) -> Document:
    fixed = draw(st.lists(fixed_charges(), max_size=3, unique_by=lambda one: one["name"]))
    demand = draw(demands(names))
    vended = [one["name"] for one in fixed if one.get("collect")]
    known = ["energy", *(one["name"] for one in (*fixed, *demand) if one["name"] not in vended)]
    for part, component in (("levies", levies_on), ("discounts", discounts_on)):
        document[part] = []
        for i in range(draw(st.integers(0, 2))):
            document[part].append(draw(component(f"{part}{i}", known)))
            known.append(f"{part}{i}")
    if draw(st.booleans()):
        amount = draw(st.sampled_from(["1", "50.000001", "3000"]))
        document["minimum"] = {"amount": amount, "on": draw(bases(known))}
        known.append("minimum")
    document |= {"fixed": fixed, "demand": demand, "taxes": []}
    for i in range(draw(st.integers(0, 2))):
        document["taxes"].append(draw(shares_of(f"tax{i}", [*known, *vended])))
        known.append(f"tax{i}")
    return {part: rules for part, rules in document.items() if rules != []}


@st.composite
def fixed_charges(draw: st.DrawFn) -> Document:
    kind = draw(st.sampled_from(["day", "month", "used_day", "used_month", "vend"]))
    per = "month" if kind in {"month", "used_month", "vend"} else "day"
    made: Document = {"name": f"by_{kind}", "amount": draw(amounts), "per": per}
    if kind == "vend":
        made["collect"] = "first_vend"
    elif kind.startswith("used"):
        made["off_supply"] = "skip"
    return made


@st.composite
def demands(draw: st.DrawFn, names: tuple[str, ...]) -> list[Document]:
    window = draw(st.sampled_from([15, 30, 60]))
    made = []
    for i in range(draw(st.integers(0, 2))):
        price = draw(prices)
        if draw(st.booleans()):
            made.append({"name": f"connected{i}", "price": price, "of": "connected"})
            continue
        named = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        only = {"periods": named} if named else {}
        highest = {"of": "highest", "window_minutes": window}
        made.append({"name": f"highest{i}", "price": price, **highest, **only})
    return made


def bases(known: list[str]) -> st.SearchStrategy[list[str]]:
    """Components that are computed before."""
    return st.lists(st.sampled_from(list(known)), min_size=1, max_size=3, unique=True)


@st.composite
def shares_of(draw: st.DrawFn, name: str, known: list[str]) -> Document:
    return {"name": name, "rate_ppm": draw(shares), "on": draw(bases(known))}


@st.composite
def levies_on(draw: st.DrawFn, name: str, known: list[str]) -> Document:
    if draw(st.booleans()):
        return {"name": name, "per_unit": draw(prices)}
    return draw(shares_of(name, known))


@st.composite
def discounts_on(draw: st.DrawFn, name: str, known: list[str]) -> Document:
    return draw(shares_of(name, known)) | draw(classes)
