"""The audit judges the services, so it takes from elsewhere only where their databases are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import npms_operations.audit

FOLDER = Path(str(npms_operations.audit.__file__)).parent
ALLOWED = {"npms_operations.errors", "npms_operations.installation"}


def imported() -> Iterator[str]:
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_the_audit_imports_only_where_to_look():
    ours = {name for name in imported() if name.startswith("npms_")}
    assert {name for name in ours if not name.startswith("npms_operations.audit")} == ALLOWED
