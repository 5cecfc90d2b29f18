"""`npms cuts`: who will be cut in the next hours, as the ledger foresees it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import httpx
import typer

from npms_tools.stack.errors import StackError
from npms_tools.stack.local import Stack
from npms_tools.stack.services import Services

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
    stack: Annotated[str, typer.Option(help="local stack whose ledger is asked")] = "demo",
) -> None:
    """List who would be cut if use went on as lately, and what amount avoids it."""
    local = Stack(stack)
    token = local.issuer.issue_token("npms-cuts", ["operator"])
    with httpx.Client(
        base_url=Services(local)["ledger"].url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ) as ledger:
        items, assumption = foreseen(ledger, hours=hours, policy=policy)
    for line in table(items):
        typer.echo(line)
    typer.echo(f"{len(items)} would be cut within {hours} h; assumed: {assumption}")


def foreseen(
    ledger: httpx.Client, *, hours: int, policy: str | None
) -> tuple[list[dict[str, Any]], str]:
    """Every foreseen cut and the assumption. Raises StackError."""
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"hours": hours, "limit": 500}
    if policy is not None:
        query["policy_code"] = policy
    while True:
        page = _ask(ledger, query)
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


def _ask(ledger: httpx.Client, query: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = ledger.get("/v1/dry-run/cuts", params=query)
    except httpx.TransportError as fault:
        raise StackError(
            f"the ledger does not answer: {fault}", advice="do its services run? (npms stack serve)"
        ) from None
    if answer.is_error:
        raise StackError(f"the ledger refused: {answer.status_code} {answer.text[:500]}")
    page: dict[str, Any] = answer.json()
    return page
