"""Random plan documents of the whole language, all of them valid, as JSON would have them."""

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NAMES = ("off", "shoulder", "peak")
CLASSES = ("", "social")

amounts = st.integers(0, 90_000_000).map(lambda micro: f"{micro // 10**6}.{micro % 10**6:06d}")
quantities = st.integers(1, 4000).map(lambda wh: f"{wh // 1000}.{wh % 1000:03d}")
classes = st.sampled_from([[], ["social"], ["other"]])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Up to three periods with own blocks, two seasons, holidays, and every kind of component."""
    names = NAMES[: draw(st.integers(1, 3))]
    made: dict[str, Any] = {"energy": draw(_energy(names))}
    if len(names) > 1:
        made |= draw(_calendar())
        made["energy"]["schedule"] = draw(_schedule(names, made))
    if draw(st.booleans()):
        made["free_units"] = {"units": draw(quantities), "classes": draw(classes)}
    known = ["energy"]
    made["fixed"] = draw(st.lists(_fixed(), max_size=2, unique_by=lambda one: one["name"]))
    made["demand"] = draw(_demands(names))
    known += [one["name"] for one in (*made["fixed"], *made["demand"])]
    for kind, component in (("levies", _levy), ("discounts", _discount)):
        made[kind] = []
        for i in range(draw(st.integers(0, 2))):
            made[kind].append(draw(component(f"{kind}{i}", known)))
            known.append(f"{kind}{i}")
    if draw(st.booleans()):
        made["minimum"] = {"amount": draw(amounts), "on": draw(_on(known))}
        known.append("minimum")
    made["taxes"] = []
    for i in range(draw(st.integers(0, 2))):
        share = draw(st.integers(0, 300_000))
        made["taxes"].append({"name": f"tax{i}", "rate_ppm": share, "on": draw(_on(known))})
        known.append(f"tax{i}")
    return made


def _on(known: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(list(known)), min_size=1, max_size=3, unique=True)


@st.composite
def _energy(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    reset = draw(st.sampled_from(["month", "month", "day"]))
    sizes = ["fixed", "prorated", "per_day"] if reset == "month" else ["fixed"]
    rule = {
        "count": draw(st.sampled_from(["all", "period"])),
        "reset": reset,
        "size": draw(st.sampled_from(sizes)),
    }
    return {
        "periods": [{"name": name, "blocks": draw(_blocks())} for name in names],
        "blocks": rule,
    }


@st.composite
def _blocks(draw: st.DrawFn) -> list[dict[str, str]]:
    bounds = sorted(draw(st.sets(st.integers(1, 4000), max_size=2)))
    closed = [{"upto": f"{wh // 1000}.{wh % 1000:03d}", "price": draw(amounts)} for wh in bounds]
    return [*closed, {"price": draw(amounts)}]


@st.composite
def _calendar(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if draw(st.booleans()):
        made["seasons"] = [
            {"name": "dry", "from": "10-25", "to": "03-28"},
            {"name": "wet", "from": "03-29", "to": "10-24"},
        ]
    if draw(st.booleans()):
        made["holidays"] = draw(
            st.lists(st.sampled_from(["2026-03-29", "10-25", "11-01", "03-08"]), min_size=1)
        )
    return made


@st.composite
def _schedule(
    draw: st.DrawFn, names: tuple[str, ...], calendar: dict[str, Any]
) -> list[dict[str, Any]]:
    days = [*WEEK, "hol"] if "holidays" in calendar else WEEK
    split = draw(st.integers(1, len(days)))
    bands = []
    for season in calendar.get("seasons", [None]):
        for some in (days[:split], days[split:]):
            cuts = sorted(draw(st.sets(st.integers(1, 1439), min_size=1, max_size=3)))
            for start, end in pairwise([0, *cuts, 1440]):
                band = {
                    "period": draw(st.sampled_from(names)),
                    "weekdays": some,
                    "from": _clock(start),
                    "to": _clock(end),
                }
                if some:
                    bands.append(band | ({"seasons": [season["name"]]} if season else {}))
    return bands


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@st.composite
def _fixed(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": draw(st.sampled_from(["standing", "service", "rent"])),
        "amount": draw(amounts),
        "per": draw(st.sampled_from(["day", "month"])),
        "off_supply": draw(st.sampled_from(["accrue", "accrue", "skip"])),
    }


@st.composite
def _demands(draw: st.DrawFn, names: tuple[str, ...]) -> list[dict[str, Any]]:
    window = draw(st.sampled_from([15, 30, 60]))
    made: list[dict[str, Any]] = []
    if draw(st.booleans()):
        made.append({"name": "connected", "price": draw(amounts), "of": "connected"})
    for name in draw(st.sampled_from([[], [], ["highest"], ["highest", "at_peak"]])):
        periods = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        made.append(
            {"name": name, "price": draw(amounts), "of": "highest", "window_minutes": window,
             "periods": periods}
        )  # fmt: skip
    return made


@st.composite
def _levy(draw: st.DrawFn, name: str, known: list[str]) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"name": name, "per_unit": draw(amounts)}
    return {"name": name, "rate_ppm": draw(st.integers(0, 400_000)), "on": draw(_on(known))}


@st.composite
def _discount(draw: st.DrawFn, name: str, known: list[str]) -> dict[str, Any]:
    share = draw(st.integers(0, 500_000))
    return {"name": name, "rate_ppm": share, "on": draw(_on(known)), "classes": draw(classes)}
