"""`npms-ledger run | api | worker | migrate | check-config | invariants | verify-seals | parked`"""

import asyncio

import typer

from npms_ledger.bootstrap import build
from npms_ledger.handlers.verify_seals import broken_seals, chain_heads
from npms_ledger.settings import LedgerSettings
from npms_shared.cli import make_cli
from npms_shared.db.engine import Database
from npms_shared.settings import load_settings

app = make_cli(
    LedgerSettings,
    build,
    help_text="Accounts, journal, credit policy and the desired supply state.",
)


@app.command()
def verify_seals() -> None:
    """Compare every journal with its seal; print the chains' heads; exit 1 if any was changed."""
    database = build(load_settings(LedgerSettings)).database
    raise typer.Exit(code=asyncio.run(_verify_seals(database)))


async def _verify_seals(database: Database) -> int:
    async with database.connect() as conn:
        heads, broken = await chain_heads(conn), await broken_seals(conn)
    await database.close()
    for head in heads:
        typer.echo(f"{head.chain} {head.seq} {head.hash.hex()}")
    for row in broken:
        typer.echo(f"journal {row.journal_id}: {row.says}")
    typer.echo(f"ledger: {sum(head.seq for head in heads)} seals, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    app()
