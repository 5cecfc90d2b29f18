"""The end of the story: a table of every account, and the proof that the books are right."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from npms_tools.demo.clients import Clients, NotObservedError
from npms_tools.demo.scene import Scene
from npms_tools.demo.story import Story
from npms_tools.demo.street_life import Household


def show_table(story: Story, console: Console) -> None:
    """Energy, charges, top-ups, balance and state of every account."""
    table = Table(title="The street")
    for name in ("account", "who", "profile", "plan"):
        table.add_column(name)
    for name in ("energy kWh", "charges", "top-ups", "balance", "debt"):
        table.add_column(name, justify="right")
    table.add_column("supply")
    for home in story.homes:
        table.add_row(*_row(story.api, home))
    console.print(table)


def _row(api: Clients, home: Household) -> list[str]:
    account = api.get("ledger", f"/v1/accounts/{home.account_id}")
    entries = api.pages("ledger", f"/v1/accounts/{home.account_id}/statement")
    charges = [entry for entry in entries if entry["charge"]]
    energy = sum((Decimal(e["charge"]["energy"]["value"]) for e in charges), Decimal(0))
    paid = api.pages("payments", f"/v1/accounts/{home.account_id}/payments")
    settled = [payment for payment in paid if payment["state"] == "settled"]
    return [
        str(home.account_id),
        home.name,
        home.meter["profile"],
        account["installations"][0]["plan_code"],
        f"{energy:.3f}",
        _money(-sum((Decimal(e["amount"]["amount"]) for e in charges), Decimal(0))),
        _money(sum((Decimal(p["amount"]["amount"]) for p in settled), Decimal(0))),
        _money(Decimal(account["balance"]["amount"])),
        _money(Decimal(account["debt"]["amount"])),
        f"{account['supply_desired']} ({account['supply_reason']})",
    ]


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def prove(scene: Scene, console: Console) -> str:
    """Run `npms audit` with the meters held still; raises NotObservedError when it fails."""
    gateway = scene.services["meter-gateway"]
    gateway.stop()
    try:
        words = [sys.executable, "-c", "from npms_tools.cli import app; app()", "audit"]
        done = subprocess.run(
            [*words, "--stack", scene.stack.name], capture_output=True, text=True, check=False
        )
    finally:
        gateway.start()
        gateway.wait_ready()
    console.print(done.stdout.rstrip(), markup=False, highlight=False)
    if done.returncode != 0:
        raise NotObservedError(f"npms audit found faults: {done.stderr[-2000:]}")
    return "npms audit passed"


def places(scene: Scene, story: Story) -> list[tuple[str, str]]:
    """What to open and try while it runs."""
    rows: list[tuple[str, Any]] = [
        (f"{process.service} REST", f"{process.url}/docs") for process in scene.services
    ]
    management = scene.stack.urls().management_url
    sinks = scene.sinks.url
    rows += [
        ("what arrived (e-mail, SMS)", sinks),
        ("simulated provider", scene.paysim.url.replace("/settled", "/docs")),
        ("simulated street", scene.street.url.replace("/meters", "/docs")),
        ("RabbitMQ management", management or "as given by NPMS_AMQP_URL"),
        ("operator's token", story.api.token),
    ]
    return rows
