"""docs/bad-input.md points at tests that exist, from every row."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "docs/bad-input.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def functions_in(file: str) -> frozenset[str]:
    """Names of the functions of a file, also those inside classes."""
    tree = ast.parse((ROOT / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def rows() -> list[str]:
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith("| input |")]


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(TABLE.read_text())
    missing = [f"{file}::{name}" for file, name in named if name not in functions_in(file)]
    assert missing == []


def test_every_row_says_answer_place_and_test() -> None:
    assert len(rows()) > 50
    for row in rows():
        _, given, answer, kept, held, _ = (cell.strip() for cell in row.split("|"))
        assert given, row
        assert answer, row
        assert kept, row
        assert NAMED.sub("", held).strip() == "", row
        assert NAMED.search(held), row
