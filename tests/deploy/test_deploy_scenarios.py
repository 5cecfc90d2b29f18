"""Numbers that tests and documents name are explained in the documents."""

import re
from collections import defaultdict
from pathlib import Path

from tests.deploy.manifests import ROOT

SCENARIOS = ROOT / "docs/scenarios.md"
ROW = re.compile(r"^\| ([A-Z]\d{1,2}) \| (\S.*?) \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"def test_((?:[cdklnoprt]\d{1,2}_)+)")
CLASS = re.compile(r"class Test([CDKLNOPRT]\d{1,2})\b")
OPENING = re.compile(r'\A"""[^\n]*?\b([CDKLNOPRT]\d{1,2})\b(?=:|,| and)')
RULE = re.compile(r"\brules? (\d)\b")


def listed() -> dict[str, set[Path]]:
    """The test files that the table links to each number."""
    files = defaultdict[str, set[Path]](set)
    for number, _, links in ROW.findall(SCENARIOS.read_text()):
        for target in re.findall(r"\]\(([^)]+)\)", links):
            files[number].add((SCENARIOS.parent / target).resolve())
    return files


def named() -> dict[str, set[Path]]:
    """The test files in which a test bears each number."""
    files = defaultdict[str, set[Path]](set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for numbers in TEST.findall(path.read_text()):
            for number in numbers.strip("_").split("_"):
                files[number.upper()].add(path)
    return files


def test_every_number_in_the_name_of_a_test_is_in_the_table_and_the_other_way_round() -> None:
    table, tests = listed(), named()
    assert len(table) > 50
    for number in table.keys() | tests.keys():
        assert table[number] == tests[number], number


def test_every_number_that_is_named_elsewhere_is_in_the_table() -> None:
    table = listed()
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        assert {*CLASS.findall(text), *OPENING.findall(text)} <= table.keys(), path
    for document in (*(ROOT / "docs").rglob("*.md"), *(ROOT / "services").rglob("*.md")):
        of_documents = re.findall(r"\bscenarios? ([A-Z]\d{1,2})\b", document.read_text())
        assert set(of_documents) <= table.keys(), document


def test_every_rule_that_code_names_is_in_the_architecture() -> None:
    rules = re.findall(
        r"^\| (\d) \| \*\*", (ROOT / "docs/architecture.md").read_text(), flags=re.MULTILINE
    )
    assert rules == [str(number) for number in range(1, 8)]
    for folder in ("services", "shared", "tools", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            assert set(RULE.findall(path.read_text())) <= set(rules), path
