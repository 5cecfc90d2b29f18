"""`npms cuts` asks page after page and prints a table."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from npms_tools.cuts import foreseen, table
from npms_tools.stack.errors import StackError


def item(account_id: int, **changes: Any) -> dict[str, Any]:
    amount = {"amount": "1.000000", "currency": "KES"}
    return {
        "account_id": account_id,
        "cut_at": "2026-03-04T22:00:00Z",
        "reason": "exhausted",
        "hold_ended": None,
        "credit_policy": "town",
        "credit_policy_version": 2,
        "balance": amount,
        "balance_then": amount,
        "use_per_day": amount,
        "amount_to_avoid": {"amount": "12.340000", "currency": "KES"},
        **changes,
    }


def ledger(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://ledger")


def test_every_page_is_asked_for() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["hours"] == "6"
        assert request.url.params["policy_code"] == "town"
        second = request.url.params.get("cursor") == "c"
        page = {"items": [item(2 if second else 1)], "next_cursor": None if second else "c"}
        return httpx.Response(200, json={**page, "assumption": "as lately"})

    items, assumption = foreseen(ledger(answer), hours=6, policy="town")
    assert [one["account_id"] for one in items] == [1, 2]
    assert assumption == "as lately"


def test_a_row_says_why_and_what_avoids_it() -> None:
    heading, row = table([item(17, hold_ended="friendly_hours")])
    assert heading.split()[0] == "account"
    for part in ("17", "exhausted (friendly_hours ends)", "town v2", "12.340000 KES"):
        assert part in row


def test_a_refusal_and_silence_are_said() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"code": "forbidden"})

    def silent(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    for client in (ledger(refuse), ledger(silent)):
        with pytest.raises(StackError):
            foreseen(client, hours=1, policy=None)
