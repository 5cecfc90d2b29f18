"""The table at the end of a soak."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from npms_tools.soak.reckoning import Verdicts

UNEXPLAINED_SHOWN = 30


def show(console: Console, verdicts: Verdicts, struck: Mapping[str, int]) -> None:
    """What the street did, what was checked, how it was explained, what was not."""
    table = Table(title="The soak")
    table.add_column("what")
    table.add_column("number", justify="right")
    for title, counts in (
        ("faults that struck", struck),
        ("checked", verdicts.checked),
        ("explained", verdicts.explained),
    ):
        table.add_row(f"[bold]{title}[/bold]", "")
        for name, number in sorted(counts.items()):
            table.add_row(f"  {name}", f"{number:,}")
    table.add_row("[bold]unexplained[/bold]", str(len(verdicts.unexplained)))
    console.print(table)
    for line in verdicts.unexplained[:UNEXPLAINED_SHOWN]:
        console.print(f"unexplained: {line}", highlight=False, markup=False)
