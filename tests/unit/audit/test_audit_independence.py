"""The audit judges the services, so it takes from elsewhere only where their databases are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import npms_tools.audit

FOLDER = Path(str(npms_tools.audit.__file__)).parent
ALLOWED = {"npms_tools.stack.errors", "npms_tools.stack.local", "npms_tools.stack.services"}


def imported() -> Iterator[str]:
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_the_audit_imports_only_the_stack():
    ours = {name for name in imported() if name.startswith("npms_")}
    assert {name for name in ours if not name.startswith("npms_tools.audit")} == ALLOWED
