"""What was measured, as a table for people and a file for programs."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def write(results: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(results, indent=2) + "\n")


def show(results: dict[str, Any], console: Console) -> None:
    """Every figure on a line of its own, nested names joined by dots."""
    table = Table(title="NPMS bench", show_lines=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in _flat("", results):
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else _plain(value))
    console.print(table)


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _flat(prefix: str, values: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(f"{prefix}{name}.", value)
        else:
            rows.append((f"{prefix}{name}", value))
    return rows
