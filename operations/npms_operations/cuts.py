"""`npms cuts`: who will be cut in the next hours, as the ledger foresees it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from npms_operations.asking import ask
from npms_operations.installation import Installation, ProfilePath, Url, find_installation

COLUMNS = (
    ("account_id", "account"),
    ("cut_at", "cut at"),
    ("why", "why"),
    ("policy", "policy"),
    ("balance", "balance"),
    ("use_per_day", "use a day"),
    ("amount_to_avoid", "avoided by"),
)


def cuts(
    hours: Annotated[int, typer.Option(help="how far to look", min=1, max=336)] = 24,
    policy: Annotated[str | None, typer.Option(help="only accounts on this policy")] = None,
    profile: ProfilePath = None,
    url: Url = None,
) -> None:
    """List who would be cut if use went on as lately, and what amount avoids it."""
    installation = find_installation(profile, url, of="ledger")
    items, assumption = foreseen(installation, hours=hours, policy=policy)
    for line in table(items):
        typer.echo(line)
    typer.echo(f"{len(items)} would be cut within {hours} h; assumed: {assumption}")


def foreseen(
    installation: Installation, *, hours: int, policy: str | None
) -> tuple[list[dict[str, Any]], str]:
    """Every foreseen cut and the assumption. Raises CommandError."""
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"hours": hours, "limit": 500}
    if policy is not None:
        query["credit_policy"] = policy
    while True:
        page = ask(installation, "ledger", "/v1/dry-run/cuts", **query)
        items += page["items"]
        if page["next_cursor"] is None:
            return items, page["assumption"]
        query["cursor"] = page["next_cursor"]


def table(items: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines: a heading, then one for each account."""
    rows = [_row(item) for item in items]
    widths = [max(len(row[at]) for row in (_HEADING, *rows)) for at in range(len(COLUMNS))]
    for row in (_HEADING, *rows):
        yield "  ".join(
            f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()


_HEADING = tuple(title for _, title in COLUMNS)


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    ended = item["hold_ended"]
    shown = {
        **item,
        "why": f"{item['reason']} ({ended} ends)" if ended else item["reason"],
        "policy": f"{item['credit_policy']} v{item['credit_policy_version']}",
    }
    return tuple(_text(shown[name]) for name, _ in COLUMNS)


def _text(value: Any) -> str:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else str(value)
