"""The examples of docs/tariffs.md, executed: plans, readings, and the bill they make."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

UTC = ZoneInfo("UTC")
GUIDE = Path(__file__).parents[3] / "docs" / "tariffs.md"
BLOCK = re.compile(r"^```(json plan|readings|bill)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    title: str
    plans: list[tuple[str, str]] = field(default_factory=list)
    zone: ZoneInfo = UTC
    customer_class: str = ""
    connected_w: int = 0
    readings: list[tuple[str, Decimal]] = field(default_factory=list)
    bill: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def at(self, local: str) -> int:
        return int(datetime.fromisoformat(local).replace(tzinfo=self.zone).timestamp())


def examples() -> list[Example]:
    _, *parts = re.split(r"^## (?=\d)", GUIDE.read_text(), flags=re.MULTILINE)
    return [read(part) for part in parts]


def read(part: str) -> Example:
    made = Example(part.splitlines()[0])
    for kind, words, body in BLOCK.findall(part):
        if kind == "json plan":
            made.plans.append((words.strip(), body))
        elif kind == "readings":
            read_header(made, words.split())
            for line in body.splitlines():
                *when, register = line.split()
                made.readings.append((" ".join(when), Decimal(register)))
        else:
            made.bill = dict(map(read_line, body.splitlines()))
    return made


def read_header(made: Example, words: list[str]) -> None:
    made.zone = ZoneInfo(words[0])
    for word in words[1:]:
        if word.startswith("connected="):
            made.connected_w = int(word.partition("=")[2])
        else:
            made.customer_class = word


def read_line(line: str) -> tuple[str, tuple[Decimal, Decimal]]:
    """`energy all 1  3.200  78.400000`: (line, (kWh, amount))."""
    words = line.split()
    if words[0] == "energy":
        return " ".join(words[:3]), (Decimal(words[3]), Decimal(words[4]))
    return words[0], (Decimal(0), Decimal(words[1]))


def rated(example: Example) -> Rated:
    tariffs = []
    for i, (since, text) in enumerate(example.plans):
        prices = PlanDocument.model_validate(json.loads(text)).prices()
        check(prices)
        begins_s = example.at(since) if since else 0
        tariffs.append(Tariff(i + 1, begins_s, prices).for_class(example.customer_class))
    (when, register), *later = example.readings
    state = RatingState(
        1,
        account_id=1,
        currency="XXX",
        calendar=Calendar(tuple(tariffs), example.zone),
        register_wh=int(register * 1000),
        read_at_s=example.at(when),
        connected_w=example.connected_w,
    )
    made = Rated()
    for when, register in later:
        rate(state, example.at(when), int(register * 1000), made)
    return made


def billed(made: Rated) -> dict[str, tuple[Decimal, Decimal]]:
    lines: dict[str, list[int]] = {}
    for charge in made.charges:
        for component, period, block, energy_wh, micro in charge[-1]:
            name = f"{component} {period} {block}" if period else component
            for key in (name, "total"):
                line = lines.setdefault(key, [0, 0])
                line[0] += energy_wh if key != "total" else 0
                line[1] += micro
    return {
        name: (Decimal(wh) / 1000, Decimal(micro) / 10**6) for name, (wh, micro) in lines.items()
    }


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.title)
def test_an_example_of_the_guide_comes_out_as_printed(example):
    assert billed(rated(example)) == example.bill


def test_the_guide_has_five_examples_with_a_plan_readings_and_a_bill():
    found = examples()
    assert len(found) == 5
    assert all(one.plans and one.readings and one.bill for one in found)
