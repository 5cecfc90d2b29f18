"""A simulation shown while it runs, and its outcome."""

import heapq
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from npms_operations.plan.simulating import Line

SHOWN = 10
"""Accounts in the table: those whose cost would change most."""
SIDES = ("old_cost", "new_cost", "difference")


def watch(lines: Iterable[Line], console: Console) -> tuple[Line, list[Line]]:
    """Follow a simulation with a bar; returns the total and the accounts that change most."""
    most: list[tuple[Decimal, int, Line]] = []
    last: Line = {}
    with _bar(console) as bar:
        task = bar.add_task("accounts", total=None)
        for last in lines:
            if last["line"] == "begin":
                bar.update(task, total=last["accounts"])
            elif last["line"] == "progress":
                bar.update(task, completed=last["done"], total=last["accounts"])
            elif last["line"] == "account":
                heapq.heappush(most, (abs(_amount(last["difference"])), last["account_id"], last))
                if len(most) > SHOWN:
                    heapq.heappop(most)
    return last, [line for *_, line in sorted(most, reverse=True)]


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=console)


def show(total: Line, most: list[Line], console: Console) -> None:
    """The total by component, and the accounts whose cost would change most."""
    parts = _table("component", total["components"], lambda part: part["component"])
    parts.add_section()
    parts.add_row("total", *_row(total), style="bold")
    console.print(parts)
    if len(most) > 1:
        title = f"The {len(most)} accounts whose cost would change most"
        accounts = _table("account", most, lambda line: str(line["account_id"]))
        accounts.title = title
        console.print(accounts)
    console.print(_words(total))


def _table(first: str, rows: Iterable[Line], name_of: Any) -> Table:
    table = Table()
    table.add_column(first)
    for column in ("old", "new", "difference"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(name_of(row), *_row(row))
    return table


def _row(line: Line) -> list[str]:
    return [line[side]["amount"] for side in SIDES]


def _words(total: Line) -> str:
    old, currency = _amount(total["old_cost"]), total["old_cost"]["currency"]
    share = f" ({_amount(total['difference']) / old:+.2%})" if old else ""
    energy = f"{total['energy']['value']} {total['energy']['unit']}"
    difference = f"{total['difference']['amount']} {currency}{share}"
    words = [
        f"{total['accounts']} accounts, {energy}: {difference}.",
        f"Charged when it was used: {total['charged']['amount']} {currency}.",
    ]
    if total["left_out"]:
        words.append(f"{total['left_out']} accounts could not be rated.")
    if not total["exact"]:
        words.append(
            "Not exact: a period, a window of demand or a version begins within an hour, and use "
            "is on record by the hour."
        )
    return "\n".join(words)


def _amount(money: dict[str, str]) -> Decimal:
    return Decimal(money["amount"])
